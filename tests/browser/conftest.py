"""A browser and a private instance for each module; a context of its own for each person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Literal

import aiohttp
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright, expect

from infrastructure.local.private_instance import Instance, private_instance
from tests.browser.chromium import ARGUMENTS, find_program
from tests.browser.scenery import Shop
from tests.browser.watching import Watch

Theme = Literal["light", "dark"]
PATIENCE_MS = 30_000
"""For what a page does on a machine that is busy with everything else."""

expect.set_options(timeout=PATIENCE_MS)
OpenContext = Callable[..., Awaitable[tuple[BrowserContext, Watch]]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Start a headless Chromium. Its sandbox needs rights that a container seldom gives; it sees our own pages only."""
    program = find_program()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program.path, env={**program.environment}, args=list(ARGUMENTS), chromium_sandbox=False
        )
        yield started
        await started.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance() -> AsyncIterator[Instance]:
    """Run Carillon with everything built in, and the sandbox."""
    async with private_instance() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, instance: Instance) -> AsyncIterator[OpenContext]:
    """Open contexts, each as a person with a browser of their own; in the end none of them may have complained."""
    async with AsyncExitStack() as stack:
        watches: list[Watch] = []

        async def open_context(theme: Theme = "light", **options: Any) -> tuple[BrowserContext, Watch]:
            context = await browser.new_context(base_url=instance.url, color_scheme=theme, **options)
            context.set_default_timeout(PATIENCE_MS)
            stack.push_async_callback(context.close)
            watches.append(Watch.over(context, instance.url))
            return context, watches[-1]

        yield open_context
    assert [complaint for watch in watches for complaint in watch.complaints()] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(instance: Instance) -> AsyncIterator[Shop]:
    """Let people move into the instance, and say what they hear of."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_MS / 1000)) as http:
        opened = Shop(http, instance.url)
        await opened.move_in()
        yield opened
