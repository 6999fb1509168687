"""The page of the API's description, and that the watch over every page notices what it is there for."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenContext

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_operation_is_tried_out_on_the_page(visit: OpenContext) -> None:
    context, _ = await visit()
    page = await context.new_page()
    await page.goto("/docs")

    operation = page.locator("#operations-health-get_health")
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Execute").click()

    answer = operation.locator(".live-responses-table")
    await expect(answer.locator(".response-col_status").last).to_contain_text("200")
    await expect(answer).to_contain_text('"status": "ok"')


async def test_the_watch_hears_of_errors_dialogs_and_requests_to_strangers(visit: OpenContext) -> None:
    context, watch = await visit()
    page = await context.new_page()
    await page.goto("/health")

    await page.evaluate("console.error('out loud'); setTimeout(() => { throw new Error('thrown') })")
    await page.evaluate("alert('knock')")
    await page.evaluate("fetch('http://stranger.test/').catch(() => 0)")

    found = " ".join(watch.complaints())
    assert all(
        word in found for word in ("out loud", "thrown", "a dialog: knock", "a request to http://stranger.test/")
    )
    watch.expected.append("out loud|stranger|ERR_")
    watch.page_errors.clear()
    watch.dialogs.clear()
    watch.strangers.clear()
