"""Waiting until all that was accepted has ended, or until nothing moves any more."""

from __future__ import annotations

import asyncio
import time

from infrastructure.bench.child import Child
from infrastructure.bench.database import under_way
from shared.store import Store

PATIENCE_SECONDS = 90.0
"""Longer than it takes the sweep to bring a message that the broker lost."""

LATE_SECONDS = 2.0
"""Every row has ended: a mail that is not there after so long is lost."""

STILL_SECONDS = 0.5
FAR_PAUSE_SECONDS, NEAR_PAUSE_SECONDS = 0.02, 0.005


async def settle(store: Store, sink: Child, accepted: int) -> float:
    """Return the monotonic time at which the last row was recorded, else that of the last movement.

    The database is asked only when every mail is there, or when no more come: before, to ask would cost what is
    measured.
    """
    mails, waiting, moved, ended = -1, -1, time.monotonic(), None
    while True:
        count, at = int(await sink.ask("count")), time.monotonic()
        if count != mails:
            mails, moved = count, at
        is_near = mails >= accepted
        if is_near or at - moved > STILL_SECONDS:
            left, at = await under_way(store), time.monotonic()
            if left != waiting:
                waiting, moved = left, at
            ended = None if left else ended or at
        if ended and (is_near or at - ended > LATE_SECONDS):
            return ended
        if at - moved > PATIENCE_SECONDS:
            return moved
        await asyncio.sleep(NEAR_PAUSE_SECONDS if is_near else FAR_PAUSE_SECONDS)
