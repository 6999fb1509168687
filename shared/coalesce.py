"""Turn concurrent single calls into one set.

While a flush runs, callers queue up, and the next flush takes them all: without a linger no timers, and no added wait
when idle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from shared.errors import ShuttingDown, Transient

Item = TypeVar("Item")
Result = TypeVar("Result")

Flush = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]


class Call(Generic[Result]):
    """One caller with its items: all its bookkeeping is here, so that an item costs no task and no future."""

    __slots__ = ("done", "missing", "results")

    def __init__(self, size: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.missing = size
        self.results: list[Result | BaseException] = [_NONE] * size

    def settle(self, place: int, result: Result | BaseException) -> None:
        """Note what came of one item; the last one wakes the caller, unless it has left."""
        self.results[place] = result
        self.missing -= 1
        if not self.missing and not self.done.done():
            self.done.set_result(None)


_NONE = ShuttingDown("no result")

Waiting = tuple[Item, Call[Result], int]


class Coalescer(Generic[Item, Result]):
    """Gather items while a flush runs; flush at most `max_size` of them at once, `flushers` sets at a time.

    The first of a set waits `linger_seconds` for others before its flush begins.

    `flush` returns one result, or one exception, per item, in order. If it raises, the set is tried again row by row,
    so that one bad row fails alone; a `Transient` failure is everybody's at once.
    """

    def __init__(
        self, flush: Flush[Item, Result], *, max_size: int = 500, flushers: int = 1, linger_seconds: float = 0.0
    ) -> None:
        self._flush = flush
        self._linger_seconds = linger_seconds
        self._max_size = max_size
        self._flushers = flushers
        self._waiting: deque[Waiting[Item, Result]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._is_starting = False  # a flush that has not looked yet takes along whatever comes meanwhile
        self._closed = False

    def __len__(self) -> int:
        """Count the items that wait for a flush."""
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        """Wait for this item's own result. Raises what its flush had for it."""
        call = self.enqueue([item])
        await call.done
        result = call.results[0]
        if isinstance(result, BaseException):
            raise result
        return result

    async def submit_all(self, items: Sequence[Item]) -> list[Result | BaseException]:
        """Wait for the results of several items, in order; exceptions are returned."""
        if not items:
            return []
        call = self.enqueue(items)
        await call.done
        return call.results

    async def close(self) -> None:
        """Take no more items, and wait until those taken are flushed."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)

    def enqueue(self, items: Sequence[Item]) -> Call[Result]:
        """Put items into the next flushes, without waiting for them."""
        call: Call[Result] = Call(len(items))
        if self._closed:
            call.results = [ShuttingDown("this process takes no new work") for _ in items]
            call.done.set_result(None)
            return call
        self._waiting.extend([(item, call, place) for place, item in enumerate(items)])
        self._start()
        return call

    def _start(self) -> None:
        if self._waiting and not self._is_starting and len(self._running) < self._flushers:
            self._is_starting = True
            # A context of its own: a set is of many callers, and must not log under the name of the first.
            self._running.add(asyncio.create_task(self._run(), context=Context()))

    async def _run(self) -> None:
        try:
            await self._linger()
            while self._waiting:
                size = min(len(self._waiting), self._max_size)
                taken = [self._waiting.popleft() for _ in range(size)]
                self._start()  # what is left over is somebody else's, if there is room for another flush
                wanted = [one for one in taken if not one[1].done.done()]  # a caller who left takes its items along
                if wanted:
                    await self._settle(wanted)
        finally:
            # Here and not in a callback of the task: between the two an item would wait for a flush that never comes.
            task = asyncio.current_task()
            if task is not None:
                self._running.discard(task)

    async def _linger(self) -> None:
        try:
            if self._linger_seconds:
                await asyncio.sleep(self._linger_seconds)
        finally:
            self._is_starting = False

    async def _settle(self, taken: Sequence[Waiting[Item, Result]]) -> None:
        try:
            results = await self._flush([item for item, _, _ in taken])
            for (_, call, place), result in list(zip(taken, results, strict=True)):  # all of them, or none
                call.settle(place, result)
        except Transient as everybodys:
            fail(taken, everybodys)
        except asyncio.CancelledError:
            fail(taken, ShuttingDown("the flush was cancelled"))
            raise
        except Exception as failure:  # row by row: one event never changes another's fate
            if len(taken) == 1:
                fail(taken, failure)
                return
            for one in taken:
                await self._settle([one])


def fail(taken: Sequence[Waiting[Item, Result]], failure: Exception) -> None:
    """Give every item the same failure."""
    for _, call, place in taken:
        call.settle(place, failure)
