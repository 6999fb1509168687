"""Pauses that end when somebody is told to stop."""

from __future__ import annotations

import asyncio


async def told_within(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait for so many seconds; return at once, and True, when told to stop meanwhile."""
    try:
        await asyncio.wait_for(stopping.wait(), timeout=seconds)
    except TimeoutError:
        return False
    return True
