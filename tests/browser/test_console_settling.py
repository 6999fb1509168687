"""What needs a person: found, understood, tried, replayed, or put away. As an operator does it, against real sagas."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenContext
from tests.browser.scenery import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

ILL = {"error_rate": 1.0}
WELL = {"error_rate": 0.0}


async def opened(visit: OpenContext, place: str) -> Page:
    """Open the console at a place."""
    context, _ = await visit()
    page = await context.new_page()
    await page.goto(f"/#/{place}")
    return page


async def test_a_failure_is_found_understood_tried_replayed_and_seen_delivered(visit: OpenContext, shop: Shop) -> None:
    await shop.call("PUT", "/sandbox/providers/smtp", ILL)
    key = await shop.post("report_ready", "ada", "Your report is ready")
    await shop.until(key, "failed")
    await shop.call("PUT", "/sandbox/providers/smtp", WELL)
    page = await opened(visit, "find")

    await page.get_by_label("User", exact=True).fill("ada")
    await page.get_by_label("Status").select_option("failed")
    await page.get_by_role("button", name="Find", exact=True).click()
    await page.get_by_role("link", name="report_ready").click()
    await expect(page.locator(".head .standing")).to_contain_text("Failed")
    timeline = page.locator(".timeline")
    await expect(timeline).to_contain_text("Attempt 2: Failed for now")
    await expect(timeline).to_contain_text("Giving up")
    await page.get_by_role("link", name="Its dead letter").click()
    await page.get_by_role("button", name="Dry run").click()
    await expect(page.locator(".dry-run")).to_contain_text("It would be sent")
    await expect(page.locator(".dry-run")).to_contain_text("ada@example.test")
    await expect(page.frame_locator(".dry-run iframe").locator("body")).to_contain_text("Your report is ready")
    assert (await shop.call("GET", f"/api/v1/notifications/{key}"))["status"] == "failed"
    await page.get_by_role("button", name="Replay").click()
    await expect(page.locator(".head .standing")).to_contain_text("Replayed")
    await page.get_by_role("link", name=key).click()

    await expect(page.locator(".head .standing")).to_contain_text("Sent")
    await expect(timeline).to_contain_text("Replayed")
    assert [one["text"] for one in await shop.call("GET", "/sandbox/messages?to=ada@example.test")] != []
    assert (await shop.until(key))["epoch"] == 1


async def test_a_second_click_replays_nothing_again(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("di", message="Twice clicked")
    page = await opened(visit, f"dead-letters/{letter}")
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)

    await page.get_by_role("button", name="Replay").dblclick()

    await expect(page.locator(".head .standing")).to_contain_text("Replayed")
    assert posted == [f"{shop.url}/dead-letters/{letter}/replay"]


async def test_what_somebody_else_has_settled_meanwhile_is_told_and_done_once(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil", message="Two of us")
    context, watch = await visit()
    watch.expected.append("status of 409")
    page = await context.new_page()
    await page.goto(f"/#/dead-letters/{letter}")
    replay = page.get_by_role("button", name="Replay")
    await replay.wait_for()
    await shop.call("POST", f"/dead-letters/{letter}/discard", {"reason": "I was faster"})

    await replay.click()

    await expect(page.locator(".todo .told")).to_contain_text("Not open")
    await expect(page.get_by_role("status")).to_contain_text("Not open")
    assert (await shop.call("GET", f"/dead-letters/{letter}"))["settled_reason"] == "I was faster"


async def test_a_selection_is_tried_and_replayed_at_once(visit: OpenContext, shop: Shop) -> None:
    await shop.call("PUT", "/users/several", {"name": "Several", "email": "spam+several@example.test"})
    letters = [await shop.failed("several", message=f"Number {number}") for number in range(3)]
    page = await opened(visit, "dead-letters?user_id=several")
    boxes = page.get_by_role("checkbox", name=re.compile("^Select password_changed"))
    await expect(boxes).to_have_count(3)

    for place in (0, 2):
        await boxes.nth(place).check()
    await page.get_by_role("button", name="Dry run").click()
    await expect(page.locator(".tried details")).to_have_count(2)
    await page.get_by_role("button", name="Replay 2").click()

    await expect(page.locator(".todo .told")).to_have_text("2 dead letters started over.")
    found = {key: (await shop.call("GET", f"/dead-letters/{key}"))["status"] for key in letters}
    assert found == {letters[0]: "replayed", letters[1]: "open", letters[2]: "replayed"}


async def test_the_first_five_are_seen_before_the_rest_is_offered(visit: OpenContext, shop: Shop) -> None:
    await shop.call("PUT", "/users/many", {"name": "Many", "email": "spam+many@example.test"})
    for number in range(7):
        await shop.failed("many", message=f"Number {number}")
    await shop.call("PUT", "/users/many", {"name": "Many", "email": "many@example.test"})
    page = await opened(visit, "dead-letters?user_id=many")

    await page.get_by_role("button", name="Replay the first 5, then the rest").click()
    await expect(page.locator(".fates li")).to_have_count(5)
    rest = page.get_by_role("button", name="Replay the rest (2)")
    await expect(rest).to_be_visible()
    await expect(page.locator(".fates .is-gone")).to_have_count(5)
    letters = (await shop.call("GET", "/dead-letters?user_id=many"))["dead_letters"]
    await rest.click()

    await expect(page.locator(".todo .told")).to_have_text("2 dead letters started over.")
    assert len(letters) == 2
    assert (await shop.call("GET", "/dead-letters?user_id=many"))["dead_letters"] == []


async def test_those_that_fail_again_are_no_part_of_the_rest(visit: OpenContext, shop: Shop) -> None:
    await shop.call("PUT", "/users/again", {"name": "Again", "email": "spam+again@example.test"})
    for number in range(6):
        await shop.failed("again", message=f"Number {number}")
    page = await opened(visit, "dead-letters?user_id=again")

    await page.get_by_role("button", name="Replay the first 5, then the rest").click()
    await expect(page.locator(".todo .told")).to_have_text("5 of 5 did not get through. 1 more is open.")
    await expect(page.locator(".fates .is-bad")).to_have_count(5)
    await expect(page.locator("tbody tr")).to_have_count(6)
    await page.get_by_role("button", name="Replay the rest (1)").click()

    await expect(page.locator(".todo .told")).to_have_text("1 dead letter started over.")


async def test_a_dead_letter_is_discarded_with_a_reason_and_says_who_did_it(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil", message="Never mind")
    page = await opened(visit, f"dead-letters/{letter}")

    await page.get_by_role("button", name="Discard").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Discard").click()
    await expect(dialog.get_by_role("alert")).to_have_text("Say why: it is kept with the dead letter.")
    await dialog.get_by_label("Reason").fill("Gil has left <b>us</b>")
    await page.keyboard.press("Enter")

    await expect(page.locator(".head .standing")).to_contain_text("Discarded")
    await expect(page.locator(".facts")).to_contain_text("Gil has left <b>us</b>")
    await expect(page.locator(".facts")).to_contain_text("open")
    await expect(page.get_by_role("button", name="Replay")).to_have_count(0)
    assert (await shop.call("GET", f"/dead-letters/{letter}"))["status"] == "discarded"


async def test_the_dialog_is_left_with_escape_and_nothing_is_done(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil", message="Perhaps later")
    page = await opened(visit, f"dead-letters/{letter}")

    await page.get_by_role("button", name="Discard").click()
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")

    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Discard")).to_be_focused()
    assert (await shop.call("GET", f"/dead-letters/{letter}"))["status"] == "open"


async def test_a_replay_needs_nothing_but_the_keyboard(visit: OpenContext, shop: Shop) -> None:
    letter = await shop.failed("gil", message="By keyboard")
    page = await opened(visit, "dead-letters?user_id=gil&reason=policy")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    names = []

    for _ in range(60):
        await page.keyboard.press("Tab")
        names.append(await page.evaluate("document.activeElement.getAttribute('href')"))
        if names[-1] == f"#/dead-letters/{letter}":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Dead letter", level=1)).to_be_focused()
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == "replay":
            break
    await page.keyboard.press("Enter")

    await expect(page.locator(".head .standing")).to_contain_text("Replayed")
    await expect(page.locator(".told")).to_be_focused()
    assert names[-1] == f"#/dead-letters/{letter}"
    assert (await shop.call("GET", f"/dead-letters/{letter}"))["status"] == "replayed"


async def test_a_notification_is_called_back(visit: OpenContext, shop: Shop) -> None:
    key = await shop.post("alarm_raised", "eli", "Smoke")
    await shop.until(key, "sent")
    page = await opened(visit, f"notifications/{key}")

    await page.get_by_role("button", name="Call it back").click()
    await page.get_by_role("dialog").get_by_role("button", name="Call it back").click()

    await expect(page.locator(".head .badge").first).to_have_text("Cancelled")
    await expect(page.locator(".timeline")).to_contain_text("Taken back")
    assert (await shop.until(key, "cancelled"))["status"] == "cancelled"
