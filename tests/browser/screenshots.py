"""Save every view of the console, in light and dark, to build/screenshots: `make screenshots`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, Page, async_playwright, expect

from infrastructure.local.private_instance import private_instance
from tests.browser.chromium import ARGUMENTS, find_program
from tests.browser.scenery import Shop

FOLDER = Path(__file__).resolve().parents[2] / "build" / "screenshots"
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
TALLEST = 2400
PATIENCE_MS = 15_000
PAINTED_MS = 400


async def places(shop: Shop) -> dict[str, str]:
    """Name the views, each with the place that shows it best."""
    failed = (await shop.call("GET", "/dead-letters?event_type=invoice_ready"))["dead_letters"][0]
    sent = (await shop.call("GET", "/api/v1/notifications?event_type=order_shipped&user_id=ada"))["notifications"][0]
    return {
        "now": "now",
        "find": "find",
        "notification": f"notifications/{sent['id']}",
        "failed": f"notifications/{failed['notification_id']}",
        "dead-letters": "dead-letters",
        "dead-letter": f"dead-letters/{failed['id']}",
        "templates": "templates",
        "template": "templates/order_shipped",
        "sandbox": "sandbox?channel=email&to=ada@example.test",
        "phone": "sandbox?channel=sms",
    }


async def take(page: Page, view: str, place: str, path: Path) -> None:
    """Save one view, as high as it is."""
    width = (page.viewport_size or {"width": 1280})["width"]
    await page.set_viewport_size({"width": width, "height": 900})
    await page.goto(f"/#/{place}")
    await page.locator("main :is(table, .mailbox, .facts):visible").first.wait_for()
    await expect(page.locator("main")).not_to_contain_text("Looking…")
    if view == "dead-letter":
        await page.get_by_role("button", name="Dry run").click()
        await page.locator(".dry-run").wait_for()
    await page.set_viewport_size({"width": width, "height": TALLEST})  # a frame out of sight is not painted
    await page.wait_for_timeout(PAINTED_MS)
    height = await page.evaluate("Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)")
    await page.set_viewport_size({"width": width, "height": min(TALLEST, max(900, height))})
    await page.wait_for_timeout(PAINTED_MS)
    await page.screenshot(path=path)


async def take_all(browser: Browser, url: str, views: dict[str, str]) -> None:
    """Save all views in both themes and both sizes."""
    for theme in ("light", "dark"):
        for size, (width, height) in SIZES.items():
            context = await browser.new_context(
                base_url=url, color_scheme=theme, viewport={"width": width, "height": height}
            )
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            for view, place in views.items():
                await take(page, view, place, FOLDER / f"{view}-{theme}-{size}.png")
            await context.close()


async def main() -> None:
    """Bring up an instance, let it have a day, and save what the console shows of it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = find_program()
    async with private_instance() as instance, aiohttp.ClientSession() as http, async_playwright() as playwright:
        shop = Shop(http, instance.url)
        await shop.move_in()
        await shop.have_a_day()
        browser = await playwright.chromium.launch(
            executable_path=program.path, env={**program.environment}, args=list(ARGUMENTS), chromium_sandbox=False
        )
        await take_all(browser, instance.url, await places(shop))
        await browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures are in {FOLDER.relative_to(Path.cwd())}")


if __name__ == "__main__":
    asyncio.run(main())
