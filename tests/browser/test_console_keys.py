"""Who may see the console, and what of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from infrastructure.local.private_instance import Instance, private_instance
from tests.browser.conftest import OpenContext
from tests.browser.scenery import Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = "root-key-of-acme"
NOT_LET_IN = "Failed to load resource: the server responded with a status of 40[13]"
CHANGING = ("Replay", "Discard", "Forget", "Publish", "Roll back", "Call it back", "Apply")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance() -> AsyncIterator[Instance]:
    """Run Carillon where every call needs a key."""
    async with private_instance(API_KEYS=f"acme:{ROOT}") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(instance: Instance) -> AsyncIterator[Shop]:
    """Let people move in."""
    async with aiohttp.ClientSession() as http:
        opened = Shop(http, instance.url, ROOT)
        await opened.move_in()
        yield opened


async def at_the_door(visit: OpenContext, place: str = "now") -> Page:
    """Come to the console without a key."""
    context, watch = await visit()
    watch.expected.append(NOT_LET_IN)
    page = await context.new_page()
    await page.goto(f"/#/{place}")
    await expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    return page


async def sign_in(page: Page, key: str) -> None:
    """Paste a key."""
    await page.get_by_label("API key or token").fill(key)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_key_leads_to_the_place_that_was_asked_for_and_signing_out_forgets_it(
    visit: OpenContext, shop: Shop
) -> None:
    page = await at_the_door(visit, "templates")

    await sign_in(page, ROOT)
    await expect(page.get_by_role("heading", name="Templates", level=1)).to_be_visible()
    await expect(page.locator(".me")).to_contain_text("acme")
    await expect(page.locator(".me")).to_contain_text("operator")
    kept = await page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
    await page.reload()
    await expect(page.get_by_role("heading", name="Templates", level=1)).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()

    await expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    assert kept == [[ROOT], [], ""]
    assert await page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
    assert ROOT not in await page.content()


@pytest.mark.parametrize("key", ["nobodys-key", "a.b.c"])
async def test_a_wrong_key_is_told_and_not_kept(visit: OpenContext, shop: Shop, key: str) -> None:
    page = await at_the_door(visit)

    await sign_in(page, key)

    await expect(page.get_by_role("alert")).to_have_text("Nobody knows this key.")
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_key_that_was_revoked_leads_back_to_the_door(visit: OpenContext, shop: Shop) -> None:
    made = await shop.call("POST", "/keys", {"name": "leaver", "scopes": ["read"]})
    page = await at_the_door(visit, "find")
    await sign_in(page, made["key"])
    await expect(page.get_by_role("heading", name="Find", level=1)).to_be_visible()

    await page.evaluate("sessionStorage.setItem('carillon.key', 'revoked-meanwhile')")
    await page.get_by_role("link", name="Dead letters").click()

    await expect(page.get_by_role("heading", name="Sign in", level=1)).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("You were signed out")


async def test_a_key_that_may_not_read_sees_nothing_and_is_told_why(visit: OpenContext, shop: Shop) -> None:
    made = await shop.call("POST", "/keys", {"name": "shop", "scopes": ["send"]})
    page = await at_the_door(visit)

    await sign_in(page, made["key"])

    await expect(page.get_by_role("alert")).to_contain_text("the scope read")
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_key_that_only_reads_sees_everything_and_no_control_that_changes_things(
    visit: OpenContext, shop: Shop
) -> None:
    letter = await shop.failed("di")
    sent = await shop.post("order_shipped", "ada", "On its way", order_id="A-1")
    await shop.until(sent, "sent")
    made = await shop.call("POST", "/keys", {"name": "auditor", "scopes": ["read"]})
    notification = (await shop.call("GET", f"/dead-letters/{letter}"))["notification_id"]
    page = await at_the_door(visit)
    await sign_in(page, made["key"])
    await expect(page.locator(".me")).to_contain_text("read only")

    shown = {
        f"dead-letters/{letter}": "Dry run",
        "dead-letters": "Select",
        f"notifications/{notification}": "Its dead letter",
        f"notifications/{sent}": "What happened",
        "templates/order_shipped": "Write it",
    }
    for place, there in shown.items():
        await page.goto(f"/#/{place}")
        await expect(page.locator("main")).to_contain_text(there) if there != "Select" else await expect(
            page.get_by_role("checkbox").first
        ).to_be_visible()
        names = await page.get_by_role("button").all_inner_texts()
        assert [name for name in names if name.startswith(CHANGING)] == [], place
        if place != f"notifications/{sent}":
            await expect(page.locator("main")).to_contain_text("needs the scope manage")
