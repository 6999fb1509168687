"""A bound that learns: how many calls may be in hand, by how long they take."""

from __future__ import annotations

import asyncio
from collections import deque


class Window:
    """Places for calls in hand, between `floor` and `ceiling`.

    No more is claimed than can be called within a third of the lease. How many that is only the calls themselves can
    tell: the window doubles while they end within `short_seconds`, and halves when one takes longer than
    `long_seconds`.
    """

    def __init__(self, floor: int, ceiling: int, *, short_seconds: float, long_seconds: float) -> None:
        self._floor = min(floor, ceiling)
        self._ceiling = ceiling
        self._short_seconds = short_seconds
        self._long_seconds = long_seconds
        self.size = self._floor
        self._taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[int]]] = deque()

    async def enter(self, wanted: int) -> int:
        """Take up to `wanted` places, waiting in turn while there are too few; return how many."""
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, waiter))
        self._grant()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave(waiter.result())
            raise

    def leave(self, places: int) -> None:
        """Give places back."""
        self._taken -= places
        self._grant()

    def learn(self, seconds: float) -> None:
        """Note how long calls that were taken together were in hand."""
        if seconds > self._long_seconds:
            self.size = max(self._floor, self.size // 2)
        elif seconds < self._short_seconds:
            self.size = min(self._ceiling, self.size * 2)
            self._grant()

    def _grant(self) -> None:
        while self._waiting:
            wanted, waiter = self._waiting[0]
            free = self.size - self._taken
            if waiter.done():
                self._waiting.popleft()
            elif free >= min(wanted, max(1, self.size // 4)):  # not place by place: a set would fall into single calls
                self._waiting.popleft()
                granted = min(wanted, free)
                self._taken += granted
                waiter.set_result(granted)
            else:
                return


class Places:
    """Places that one set holds; what it still holds at its end it gives back."""

    def __init__(self, window: Window, count: int) -> None:
        self._window = window
        self._count = count

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave(self._count)

    def leave(self, count: int) -> None:
        """Give some back."""
        self._count -= count
        self._window.leave(count)
