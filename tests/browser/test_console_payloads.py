"""Whatever an event, a person or a provider wrote is shown as text, and does nothing."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Frame, Page, Route, expect

from tests.browser.conftest import OpenContext
from tests.browser.scenery import Shop
from tests.browser.watching import Watch

pytestmark = pytest.mark.asyncio(loop_scope="module")

TAG = "<img src=x onerror=top.hit=1><script>top.hit=1</script>"
BREAKER = "\"'><svg/onload=top.hit=1>"
NASTY_HTML = """
<h1 id="mail">A mail</h1><script>parent.hit = window.hit = 1</script><img src="x" onerror="parent.hit = 1">
<svg><a xlink:href="javascript:parent.hit=1"><animate attributeName="href" to="javascript:1" /><text>s</text></a></svg>
<a id="out" href="STRANGER/">leave</a><a href="javascript:top.hit=1">run</a>
<iframe src="STRANGER/"></iframe><iframe srcdoc="<script>top.hit=1</script>"></iframe>
<object data="STRANGER/"></object><embed src="STRANGER/">
<link rel="stylesheet" href="STRANGER/a.css"><link rel="dns-prefetch" href="STRANGER">
<meta http-equiv="refresh" content="0;url=STRANGER/"><base href="STRANGER/">
<form action="STRANGER/"><button id="send">send</button></form>
<style>@import "STRANGER/b.css"; body { background: url(STRANGER/c.png) }</style>
<p style="background: url(STRANGER/d.png)">styled</p><img src="STRANGER/pixel.png">
<video src="STRANGER/v" poster="STRANGER/p"></video>
<details open ontoggle="top.hit=1">d</details>
"""
EXPECTED = "violates the (following|document's) Content Security Policy|sandboxed|status of 4[02][024]|not allowed by"


@dataclass
class Stranger:
    """Somebody who listens, and counts who comes."""

    url: str
    visits: int = 0


@asynccontextmanager
async def stranger() -> AsyncIterator[Stranger]:
    """Listen on a port that nothing of ours has to do with."""
    found = Stranger("")

    async def note(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.visits += 1
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


async def page_with_alarm(visit: OpenContext) -> tuple[Page, Watch]:
    """Open a page on which anything that runs leaves a mark, in whichever frame."""
    context, watch = await visit()
    watch.expected.append(EXPECTED)
    await context.add_init_script("window.hit = 0")
    return await context.new_page(), watch


async def hits(page: Page) -> list[int]:
    """Read the marks of all frames."""
    return [await frame.evaluate("window.hit") for frame in page.frames]


async def test_words_in_every_field_are_shown_and_never_run(visit: OpenContext, shop: Shop) -> None:
    user, event_type, correlation = f"u{TAG}", "password_changed", f"c{BREAKER}"
    await shop.call("POST", "/users", {"id": user, "name": TAG, "email": "spam+nasty@example.test"})
    posted = {"event_type": event_type, "user_id": user, "data": {"message": TAG}}
    async with shop.http.post(f"{shop.url}/events", json=posted, headers={"X-Correlation-ID": correlation}) as answer:
        key = (await answer.json())["id"]
    await shop.until(key)
    letters = (await shop.call("GET", "/dead-letters"))["dead_letters"]
    letter = next(one["id"] for one in letters if one["notification_id"] == key)
    page, _ = await page_with_alarm(visit)

    for place, texts in {
        "find": [user, event_type, correlation],
        f"notifications/{key}": [user, event_type, correlation],
        "dead-letters": [user, event_type],
        f"dead-letters/{letter}": [user, event_type],
    }.items():
        await page.goto(f"/#/{place}")
        for text in texts:
            await expect(page.locator("main")).to_contain_text(text)
        assert await page.locator("main img, main script, main svg[onload]").count() == 0
        assert set(await hits(page)) == {0}
    await page.goto(f"/#/dead-letters/{letter}")
    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").get_by_label("Reason").fill(TAG)
    await page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    await expect(page.locator(".facts")).to_contain_text(TAG)
    assert set(await hits(page)) == {0}


async def test_words_in_the_address_are_shown_and_never_run(visit: OpenContext, shop: Shop) -> None:
    page, _ = await page_with_alarm(visit)

    await page.goto("/#/find?user_id=%3Cimg%20src%3Dx%20onerror%3Dtop.hit%3D1%3E&status=%22%3E")
    await expect(page.get_by_role("alert")).to_contain_text("status")
    await expect(page.get_by_label("User", exact=True)).to_have_value("<img src=x onerror=top.hit=1>")
    for place in (
        "notifications/%3Cscript%3E",
        "dead-letters/..%2f..%2fkeys",
        "templates/__proto__",
        "%E0%A4%A",
        "now?channel=<b>",
    ):
        await page.goto(f"/#/{place}")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()

    assert set(await hits(page)) == {0}


async def frame_of(page: Page, selector: str) -> Frame:
    """Wait for a message's frame."""
    handle = await page.locator(selector).first.element_handle()
    assert handle is not None
    frame = await handle.content_frame()
    assert frame is not None
    return frame


async def test_the_html_of_a_mail_runs_nothing_loads_nothing_and_leads_nowhere(visit: OpenContext, shop: Shop) -> None:
    async with stranger() as outside:
        html = NASTY_HTML.replace("STRANGER", outside.url)
        words = {"name": "nasty", "channel": "email", "subject": f"S{TAG}", "body": f"T{TAG}", "html": html}
        await shop.call("POST", "/templates", words)
        await shop.call("PUT", "/workflows/mailed", {"channels": ["email"], "template": "nasty"})
        key = await shop.post("mailed", "ada", "x")
        await shop.until(key, "sent")
        page, watch = await page_with_alarm(visit)
        failed: list[str | None] = []
        page.on("requestfailed", lambda request: failed.append(request.failure))

        for place, where in {
            f"notifications/{key}": ".message iframe",
            "templates/nasty": ".message iframe",
            "sandbox?channel=email": ".mailer iframe",
        }.items():
            await page.goto(f"/#/{place}")
            await expect(page.locator("main")).to_contain_text(f"S{TAG}")
            await is_harmless(page, await frame_of(page, where))

        assert outside.visits == 0
        assert len(failed) >= len(watch.strangers)  # a style sheet asks for pictures: the policy answers, nobody else
        assert set(failed) <= {"csp"}
        watch.strangers.clear()


async def is_harmless(page: Page, frame: Frame) -> None:
    """Click around in a message, and see that nothing came of it."""
    await expect(frame.get_by_role("heading", name="A mail")).to_be_visible()
    await frame.locator("#out").click()
    await frame.get_by_text("send").click()
    assert await frame.evaluate("self.origin") == "null"
    assert await frame.evaluate("[...document.scripts].map((one) => one.getAttribute('src'))") == ["/console/frame.js"]
    assert await frame.locator("[href], iframe, object, embed, link, base, form, video").count() == 0
    assert frame.url.endswith("/console/frame.html")
    assert set(await hits(page)) == {0}


async def test_the_frame_cannot_reach_the_page_around_it_nor_the_api(visit: OpenContext, shop: Shop) -> None:
    key = await shop.post("order_shipped", "ada", "x", order_id="F-1")
    await shop.until(key, "sent")
    page, _ = await page_with_alarm(visit)
    await page.goto(f"/#/notifications/{key}")
    frame = await frame_of(page, ".message iframe")

    reached = await frame.evaluate(
        """async () => {
          const tries = {
            dom: () => parent.document.title,
            storage: () => sessionStorage.length,
            fetch: () => fetch("/dead-letters"),
            leave: () => { top.location = "/docs"; },
            open: () => { if (!window.open("/docs")) throw new Error("shut"); },
          };
          const reached = [];
          for (const [name, attempt] of Object.entries(tries)) {
            try { await attempt(); reached.push(name); } catch {}
          }
          return reached;
        }"""
    )

    assert reached == []
    assert page.url == f"{shop.url}/#/notifications/{key}"


async def test_a_stranger_cannot_put_words_into_the_frame(visit: OpenContext, shop: Shop) -> None:
    page, _ = await page_with_alarm(visit)
    await page.goto("/console/frame.html")

    await page.evaluate("window.postMessage({html: '<h1 id=forged>forged</h1>'}, '*')")
    await page.evaluate("new Promise((resolve) => setTimeout(resolve))")

    assert await page.locator("#forged").count() == 0
    assert await page.evaluate("self.origin") == "null"


async def test_bytes_that_are_no_event_are_shown_as_text_and_as_bytes(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil")
    page, _ = await page_with_alarm(visit)

    async def garbled(route: Route) -> None:
        document = await (await route.fetch()).json()
        words = dict.fromkeys(("kind", "step", "reason", "settled_by", "settled_reason", "user_id", "event_type"), TAG)
        body = b64encode(b"\x00\xff" + TAG.encode()).decode()
        await route.fulfill(json={**document, **words, "status": TAG, "channels": [TAG], "body_base64": body})

    await page.route(f"**/dead-letters/{letter}", garbled)
    await page.goto(f"/#/dead-letters/{letter}")

    await expect(page.locator(".bytes pre").first).to_contain_text(TAG)
    await expect(page.locator(".bytes pre").last).to_contain_text("00 ff 3c 69 6d 67 20 73")
    await expect(page.locator(".facts dd").filter(has_text=TAG)).to_have_count(7)
    assert await page.locator("main img, main script").count() == 0
    assert set(await hits(page)) == {0}
