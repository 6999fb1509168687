from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest

from infrastructure.local.functions import ended, started


async def test_what_was_started_ends_in_reverse_even_if_a_later_start_fails() -> None:
    order: list[str] = []

    async def note(word: str) -> None:
        order.append(word)

    async def fails() -> None:
        raise OSError("no second one")

    async def start_both() -> None:
        async with AsyncExitStack() as stack:
            await started(stack, lambda: note("start one"), lambda: note("stop one"))
            await started(stack, fails, lambda: note("stop two"))

    with pytest.raises(OSError, match="no second one"):
        await start_both()

    assert order == ["start one", "stop two", "stop one"]


async def test_what_does_not_end_is_left_behind_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def hangs() -> None:
        await asyncio.get_running_loop().create_future()

    with caplog.at_level(logging.ERROR):
        await ended(hangs, deadline_seconds=0.01)

    assert "did not end in time" in caplog.text
