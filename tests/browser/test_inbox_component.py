"""The inbox on a page: two windows of one person, a network that is cut, words that would be markup, and axe-core."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, WebSocketRoute, expect

from infrastructure.local.private_instance import Instance
from tests.browser.conftest import OpenContext, Theme
from tests.browser.watching import grave_faults

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Order 42 is on its way. It will be with you tomorrow."
LONGEST_PAUSE_MS = 30_000
"""Of the component, between two tries."""
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest_asyncio.fixture(loop_scope="module")
async def user(instance: Instance) -> str:
    """Let somebody be known."""
    key = f"person-{uuid4().hex[:8]}"
    async with aiohttp.ClientSession(instance.url) as http, http.put(f"/users/{key}", json={"name": "Ada"}) as answer:
        assert answer.status == 200
    return key


async def post(instance: Instance, user: str, message: str, event_type: str = "inbox_demo") -> str:
    """Post an event for the inbox, and wait until it is there."""
    data = {"headline": message, "message": message, "preferred_channel": "websocket"}
    event: dict[str, Any] = {"event_type": event_type, "user_id": user, "data": data}
    async with aiohttp.ClientSession(instance.url) as http:
        async with http.post("/events", json=event) as answer:
            key = str((await answer.json())["id"])
        await reaches(http, key, "sent", "delivered")
    return key


async def reaches(http: aiohttp.ClientSession, key: str, *statuses: str) -> None:
    """Wait until a notification has one of these statuses."""
    status = ""
    async with asyncio.timeout(15):
        while status not in statuses:
            await asyncio.sleep(0.05)
            async with http.get(f"/api/v1/notifications/{key}") as answer:
                status = str((await answer.json())["status"])


async def show(page: Page, user: str) -> Locator:
    """Open the page for a person; return the bell's button."""
    await page.goto("/demo/inbox")
    await page.get_by_label("User", exact=True).fill(user)
    await page.get_by_role("button", name="Show this inbox").click()
    bell = page.locator("carillon-inbox .bell")
    await expect(page.locator("carillon-inbox")).to_have_attribute("online", "")
    return bell


async def test_a_message_that_is_sent_on_the_page_rings_and_is_read(visit: OpenContext, user: str) -> None:
    context, _ = await visit()
    page = await context.new_page()
    bell = await show(page, user)
    await expect(bell).to_have_accessible_name("Notifications, none unread")

    await page.get_by_role("button", name="Send").click()

    await expect(bell).to_have_accessible_name("Notifications, 1 unread")
    await expect(page.locator("carillon-inbox [role=status]")).to_have_text(f"New notification: Inbox demo: {TEXT}")
    await bell.click()
    item = page.locator("carillon-inbox li")
    await expect(item).to_contain_text(TEXT)
    await item.get_by_role("button", name="Mark as read").click()
    await expect(bell).to_have_accessible_name("Notifications, none unread")


async def test_what_is_read_in_one_browser_is_read_in_the_other(
    visit: OpenContext, instance: Instance, user: str
) -> None:
    for number in range(3):
        await post(instance, user, f"message {number}")
    here, there = [await (await visit())[0].new_page() for _ in range(2)]
    bells = [await show(page, user) for page in (here, there)]
    for bell in bells:
        await expect(bell.locator(".badge")).to_have_text("3")
        await bell.click()

    await here.locator("carillon-inbox li").nth(1).get_by_role("button", name="Mark as read").click()
    await expect(bells[1].locator(".badge")).to_have_text("2")
    await expect(there.locator("carillon-inbox li.unread")).to_have_count(2)
    await there.locator("carillon-inbox li").first.get_by_role("button", name="Archive").click()
    await expect(here.locator("carillon-inbox li")).to_have_count(2)
    await here.get_by_role("button", name="Mark all as read").click()

    await expect(bells[1].locator(".badge")).to_be_hidden()
    await expect(there.locator("carillon-inbox li.unread")).to_have_count(0)


async def test_what_happens_while_the_network_is_cut_is_there_when_it_is_back(
    visit: OpenContext, instance: Instance, user: str
) -> None:
    is_cut, open_sockets = False, list[WebSocketRoute]()

    async def pass_on(socket: WebSocketRoute) -> None:
        if is_cut:
            await socket.close(code=1001)
        else:
            socket.connect_to_server()
            open_sockets.append(socket)

    keys = [await post(instance, user, f"before {number}") for number in range(2)]
    (context, _), (other, _) = await visit(), await visit()
    await context.route_web_socket("**/ws/**", pass_on)
    page, elsewhere = await context.new_page(), await other.new_page()
    bell, _ = await show(page, user), await show(elsewhere, user)
    await expect(bell.locator(".badge")).to_have_text("2")
    await bell.click()

    is_cut = True
    for socket in open_sockets:
        await socket.close(code=1001)
    await expect(page.get_by_text("Offline.")).to_be_visible()
    await page.locator("carillon-inbox li").last.get_by_role("button", name="Mark as read").click()
    keys += [await post(instance, user, f"meanwhile {number}") for number in range(2)]
    await elsewhere.locator("carillon-inbox .bell").click()
    await elsewhere.get_by_role("button", name="Archive: Inbox demo: before 1").click()
    is_cut = False

    await expect(page.locator("carillon-inbox")).to_have_attribute("online", "", timeout=LONGEST_PAUSE_MS)
    shown = page.locator("carillon-inbox li")
    await expect(shown).to_have_count(3)
    await expect(bell.locator(".badge")).to_have_text("2")
    for place, text in enumerate(("meanwhile 1", "meanwhile 0", "before 0")):
        await expect(shown.nth(place)).to_contain_text(text)
    await expect(elsewhere.locator("carillon-inbox .badge")).to_have_text("2")
    async with aiohttp.ClientSession(instance.url) as http:
        for key in keys:
            await reaches(http, key, "delivered")


async def test_words_that_would_be_markup_are_shown_as_words(visit: OpenContext, instance: Instance, user: str) -> None:
    template = {"name": "titled", "channel": "websocket", "subject": "Re: {{ headline }}", "body": "{{ message }}"}
    async with aiohttp.ClientSession(instance.url) as http:
        for method, path, document in (
            ("POST", "/templates", template),
            ("PUT", "/workflows/titled", {"channels": ["websocket"], "template": "titled"}),
        ):
            async with http.request(method, path, json=document) as answer:
                assert answer.status in (200, 201)
    await post(instance, user, HOSTILE, "titled")
    context, watch = await visit()
    page = await context.new_page()
    bell = await show(page, user)
    await bell.click()

    item = page.locator("carillon-inbox li")
    await expect(item.locator(".subject")).to_have_text(f"Re: {HOSTILE}")
    await expect(item.locator(".message")).to_have_text(HOSTILE)
    assert await item.locator("img, script").count() == 0
    assert watch.dialogs == []


async def test_the_keyboard_is_enough(visit: OpenContext, instance: Instance, user: str) -> None:
    for number in range(2):
        await post(instance, user, f"message {number}")
    context, _ = await visit()
    page = await context.new_page()
    bell = await show(page, user)
    await expect(bell.locator(".badge")).to_have_text("2")

    await bell.focus()
    await page.keyboard.press("Enter")
    await expect(bell).to_have_attribute("aria-expanded", "true")
    for _ in range(2):  # the list itself, then the first button in it
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(bell.locator(".badge")).to_have_text("1")
    await page.keyboard.press("Escape")

    await expect(bell).to_have_attribute("aria-expanded", "false")
    await expect(bell).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_no_fault_in_either_theme(
    visit: OpenContext, instance: Instance, user: str, theme: Theme
) -> None:
    for number in range(2):
        await post(instance, user, f"message {number}")
    context, _ = await visit(theme)
    page = await context.new_page()
    bell = await show(page, user)
    closed = await grave_faults(page)
    await bell.click()
    await page.locator("carillon-inbox li").first.get_by_role("button", name="Mark as read").click()
    await expect(bell.locator(".badge")).to_have_text("1")

    assert (closed, await grave_faults(page)) == ([], [])


async def test_the_page_is_served_under_a_policy_without_inline_anything(instance: Instance) -> None:
    async with aiohttp.ClientSession(instance.url) as http, http.get("/demo/inbox") as answer:
        policy = answer.headers["Content-Security-Policy"]
    async with aiohttp.ClientSession(instance.url) as http, http.get("/inbox/carillon-inbox.js") as module:
        kind, leave = module.headers["Content-Type"], module.headers["Access-Control-Allow-Origin"]

    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert (kind, leave) == ("text/javascript; charset=utf-8", "*")
