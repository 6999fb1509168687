"""Every view, as everybody can use it: in both themes, on a phone, by ear; and when the server goes away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import OpenContext, Theme
from tests.browser.scenery import Shop
from tests.browser.watching import grave_faults

pytestmark = pytest.mark.asyncio(loop_scope="module")

NARROW = 360
PHONE = {"viewport": {"width": NARROW, "height": 740}, "is_mobile": True, "has_touch": True}
AWAY = "Failed to load resource: net::ERR_"
Places = dict[str, str]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(shop: Shop) -> AsyncIterator[Places]:
    """Have a day, and name each view's place with what must be seen there."""
    await shop.have_a_day()
    failed = await shop.failed("di", message="Your password was changed again")
    alarm = (await shop.call("GET", "/api/v1/notifications?event_type=alarm_raised"))["notifications"][0]["id"]
    yield {
        "now": "Accepted",
        "find": "alarm_raised",
        f"notifications/{alarm}": "Smoke|toast",
        "dead-letters": "password_changed",
        f"dead-letters/{failed}": "Dry run",
        "templates": "order_shipped",
        "templates/order_shipped": "Version 3",
        "sandbox": "twilio",
        "nowhere": "none of the console's",
    }


async def at(page: Page, place: str, there: str) -> None:
    """Go to a place and wait until it shows what it must."""
    await page.goto(f"/#/{place}")
    for word in there.split("|")[:1]:
        if not place.startswith("notifications/"):
            await expect(page.locator("main")).to_contain_text(word)
    await expect(page.locator("main")).not_to_contain_text("Looking…")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_view_keeps_anybody_out(visit: OpenContext, places: Places, theme: Theme) -> None:
    context, _ = await visit(theme)
    page = await context.new_page()
    faults = {}

    for place, there in places.items():
        await at(page, place, there)
        if there == "Dry run":
            await page.get_by_role("button", name="Dry run").click()
            await page.locator(".dry-run").wait_for()
        faults[place] = await grave_faults(page)

    assert {place: found for place, found in faults.items() if found} == {}


async def test_the_door_and_the_dialog_keep_nobody_out_either(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil", message="For the dialog")
    context, _ = await visit("dark")
    page = await context.new_page()

    await at(page, f"dead-letters/{letter}", "Discard")
    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").wait_for()

    assert await grave_faults(page) == []


async def test_headings_are_in_order_and_landmarks_are_there_once(visit: OpenContext, places: Places) -> None:
    context, _ = await visit()
    page = await context.new_page()

    for place, there in places.items():
        await at(page, place, there)
        levels = await page.evaluate(
            "[...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))"
        )
        assert levels[0] == 1, place
        assert levels.count(1) == 1, place
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels)), place
        assert await page.locator("main").count() == await page.locator("header.bar").count() == 1
        assert await page.evaluate("document.activeElement.tagName") == "H1", place


async def test_nothing_is_wider_than_a_phone(visit: OpenContext, places: Places) -> None:
    context, _ = await visit(**PHONE)
    page = await context.new_page()
    wide = {}

    for place, there in places.items():
        await at(page, place, there)
        wide[place] = await page.evaluate("document.documentElement.scrollWidth")

    assert {place: pixels for place, pixels in wide.items() if pixels > NARROW} == {}


async def test_the_skip_link_leads_past_the_bar(visit: OpenContext, places: Places) -> None:
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "templates", "order_shipped")
    skip = page.get_by_role("link", name="Skip to the content")

    await skip.focus()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("main")).to_be_focused()
    assert await page.evaluate("location.hash") == "#/templates"


async def test_the_theme_is_chosen_and_remembered(visit: OpenContext, places: Places) -> None:
    context, _ = await visit("light")
    page = await context.new_page()
    await at(page, "templates", "order_shipped")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(colour)

    await page.get_by_label("Theme").select_option("dark")
    dark = await page.evaluate(colour)
    await page.reload()
    await expect(page.locator("main")).to_contain_text("order_shipped")

    assert light != dark
    assert await page.evaluate(colour) == dark


async def test_numbers_move_by_themselves_and_stand_in_a_table_too(visit: OpenContext, shop: Shop) -> None:
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "now", "Accepted")
    letters = page.locator(".tile", has_text="Dead letters").locator(".tile-value")
    before = int(await letters.inner_text())

    await shop.failed("gil", message="One more")

    await expect(letters).to_have_text(str(before + 1))
    await page.get_by_text("The same as a table").click()
    await expect(page.get_by_role("table", name="30 minutes on all channels").locator("tbody tr")).to_have_count(30)
    await page.get_by_label("Channel", exact=True).select_option("email")
    await expect(page.get_by_role("table", name="30 minutes by E-mail")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("smtp")


async def test_a_server_that_goes_away_is_said_to_be_away_and_so_is_the_age_of_what_is_shown(
    visit: OpenContext, places: Places
) -> None:
    context, watch = await visit()
    watch.expected.append(AWAY)
    page = await context.new_page()
    await at(page, "now", "Accepted")

    async def cut(route: Route) -> None:
        await route.abort("connectionrefused")

    await page.route("**/overview", cut)
    await expect(page.locator(".age")).to_contain_text("The server does not answer. What you see is")
    await expect(page.get_by_role("status")).to_have_text("The server does not answer.")
    await expect(page.locator(".tile").first).to_be_visible()
    await page.unroute("**/overview")

    await expect(page.locator(".age")).to_contain_text("Live as of")
    await expect(page.get_by_role("status")).to_have_text("The server answers again.")


async def test_while_nobody_looks_nothing_is_asked(visit: OpenContext, places: Places) -> None:
    context, _ = await visit()
    await context.add_init_script(
        "window.away = false; Object.defineProperty(document, 'hidden', { get: () => window.away })"
    )
    page = await context.new_page()
    await page.clock.install()
    await at(page, "now", "Accepted")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    async def turn_away(is_away: str) -> None:
        await page.evaluate(f"window.away = {is_away}; document.dispatchEvent(new Event('visibilitychange'))")

    await turn_away("true")
    asked.clear()
    await page.clock.run_for(60_000)
    while_away = list(asked)
    async with page.expect_response("**/overview"):
        await turn_away("false")

    assert while_away == []


async def test_a_busy_server_is_asked_again_no_earlier_than_it_says(visit: OpenContext, places: Places) -> None:
    context, watch = await visit()
    watch.expected.append("status of 503")
    page = await context.new_page()
    asked: list[str] = []

    async def busy(route: Route) -> None:
        asked.append(route.request.url)
        problem = {"type": "urn:carillon:problem:busy", "title": "Busy", "status": 503, "detail": "Later."}
        await route.fulfill(status=503, headers={"Retry-After": "30"}, json=problem)

    await page.clock.install()
    await page.route("**/overview", busy)
    await page.goto("/#/now")
    await expect(page.locator(".age")).to_contain_text("The server is busy (503). Nothing has been seen yet.")
    await page.clock.run_for(29_000)
    early = len(asked)
    async with page.expect_response("**/overview"):
        await page.clock.run_for(2_000)

    assert early == 1
    assert len(asked) == 2


async def test_filters_stand_in_the_address_and_older_ones_follow(visit: OpenContext, shop: Shop) -> None:
    for number in range(51):
        await shop.post("counted", "cy", f"Number {number}")
    context, _ = await visit()
    page = await context.new_page()
    await page.goto("/#/find?user_id=cy&event_type=counted")
    rows = page.locator("tbody tr")
    await expect(page.get_by_label("User", exact=True)).to_have_value("cy")
    await expect(rows).to_have_count(50)

    await page.get_by_role("link", name="Older").click()

    await expect(rows).to_have_count(1)
    assert await page.evaluate("location.hash.includes('user_id=cy') && location.hash.includes('cursor=')")
    await page.go_back()
    await expect(rows).to_have_count(50)


async def test_an_id_that_is_pasted_leads_to_its_notification(visit: OpenContext, shop: Shop) -> None:
    key = await shop.post("order_shipped", "ada", "On its way", order_id="A-7")
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "find", "")

    await page.get_by_label("Notification id").fill("no id")
    await page.get_by_role("button", name="Go").click()
    await expect(page.get_by_role("alert")).to_contain_text("no notification's id")
    await page.get_by_label("Notification id").fill(f"  {key.upper()} ")
    await page.keyboard.press("Enter")

    await expect(page.locator(".facts")).to_contain_text(key)


async def test_a_template_is_previewed_and_rolled_back(visit: OpenContext, shop: Shop) -> None:
    await shop.write_templates()
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "templates/order_shipped", "Version 3")
    email, sms = page.locator(".message", has_text="E-mail"), page.locator(".message", has_text="SMS")

    await page.get_by_label("Variables, as JSON").fill('{"order_id": "A-42 <i>"}')
    await page.get_by_label("Language of the reader").fill("en")
    await page.get_by_role("button", name="Write it").click()
    await expect(email.locator(".subject")).to_have_text("Your order A-42 <i> is on its way")
    await expect(email.frame_locator("iframe").get_by_role("heading", name="On its way")).to_be_visible()
    await expect(sms.frame_locator("iframe").locator("body")).to_contain_text("Your order A-42 <i> is on its way.")
    await expect(sms).to_contain_text("1 segment (GSM-7)")
    await page.get_by_role("button", name="Roll back to 1").click()
    await page.get_by_role("dialog").get_by_role("button", name="Roll back to 1").click()

    await expect(page.locator(".todo .told")).to_have_text("Version 1 is published.")
    await expect(page.get_by_role("row", name="Version 1")).to_contain_text("Published")
    assert (await shop.call("GET", "/templates/order_shipped"))["published"] == 1
    await shop.call("POST", "/templates/order_shipped/publish", {"version": 2})


async def test_the_sandbox_shows_what_each_recipient_sees(visit: OpenContext, shop: Shop) -> None:
    for key in [
        await shop.post("alarm_raised", "eli", "Smoke"),
        await shop.post("order_shipped", "ada", "x", order_id="Z-9"),
    ]:
        await shop.until(key, "sent")
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "sandbox", "twilio")
    channel = page.get_by_role("search").get_by_label("Channel")

    await channel.select_option("email")
    await expect(page.locator(".mailer .subject")).to_have_text("Your order Z-9 is on its way")
    await expect(page.frame_locator(".mailer iframe").first.get_by_role("heading", name="On its way")).to_be_visible()
    for name, words in (("sms", "Smoke"), ("whatsapp", "Smoke"), ("telegram", "Smoke"), ("push", "Alarm raised")):
        await channel.select_option(name)
        await expect(page.locator(".device")).to_contain_text(words)
    await page.get_by_role("button", name="Forget all messages").click()
    await page.get_by_role("dialog").get_by_role("button", name="Forget them").click()

    await expect(page.locator(".reader")).to_contain_text("Nothing has come yet.")
    assert await shop.call("GET", "/sandbox/messages") == []


async def test_a_stand_in_is_made_ill_and_well_again(visit: OpenContext, shop: Shop) -> None:
    context, _ = await visit()
    page = await context.new_page()
    await at(page, "sandbox", "twilio")
    telegram = page.get_by_role("form", name="Switches of telegram")

    await telegram.get_by_label("Share that it refuses").fill("0.5")
    await telegram.get_by_role("button", name="Apply").click()
    await expect(telegram).to_contain_text("Not itself")
    ill = (await shop.call("GET", "/sandbox/providers"))["telegram"]
    await telegram.get_by_role("button", name="Make it well").click()
    await expect(telegram.locator(".badge")).to_have_text("Well")

    assert ill["error_rate"] == 0.5
    assert (await shop.call("GET", "/sandbox/providers"))["telegram"]["error_rate"] == 0
