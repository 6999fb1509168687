"""How a socket or a stream ends: with its client, its token, this process, or because nobody takes what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from functions.realtime.audience import Listener

LEFT = 1000
SLOW_READER = 1013
TOKEN_ENDED = 4401
"""A number of our own: the client comes back with a new token."""


async def until_ended(listener: Listener, valid_seconds: float | None, *sides: Coroutine[Any, Any, int]) -> int:
    """Let the sides of a conversation run until one of them returns a code, or somebody else ends the listener."""
    tasks = [asyncio.create_task(side) for side in sides]
    for task in tasks:
        task.add_done_callback(lambda done: listener.end(_code_of(done)))
    loop = asyncio.get_running_loop()
    timer = loop.call_later(valid_seconds, listener.end, TOKEN_ENDED) if valid_seconds is not None else None
    try:
        return await asyncio.shield(listener.ended)
    finally:
        if timer:
            timer.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _code_of(side: asyncio.Task[int]) -> int:
    """Return the code with which one side ended; one that broke off has lost its client."""
    return LEFT if side.cancelled() or side.exception() else side.result()
