"""Turn concurrent single calls into one set.

While a flush runs, callers queue up, and the next flush takes them all: no timers, no added wait when idle.
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


class Coalescer(Generic[Item, Result]):
    """Gather items while a flush runs; flush at most `max_size` of them at once, `flushers` sets at a time.

    `flush` returns one result, or one exception, per item, in order. If it raises, the set is tried again row by row,
    so that one bad row fails alone; a `Transient` failure is everybody's at once.
    """

    def __init__(self, flush: Flush[Item, Result], *, max_size: int = 500, flushers: int = 1) -> None:
        self._flush = flush
        self._max_size = max_size
        self._flushers = flushers
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._is_starting = False  # a flush that has not looked yet takes along whatever comes meanwhile
        self._closed = False

    def __len__(self) -> int:
        """Count the items that wait for a flush."""
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        """Wait for this item's own result. Raises what its flush had for it."""
        return await self.enqueue(item)

    async def submit_all(self, items: Sequence[Item]) -> list[Result | BaseException]:
        """Wait for the results of several items, in order; exceptions are returned."""
        return await asyncio.gather(*[self.enqueue(item) for item in items], return_exceptions=True)

    async def close(self) -> None:
        """Take no more items, and wait until those taken are flushed."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)

    def enqueue(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next flush, without waiting for it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(ShuttingDown("this process takes no new work"))
            return future
        self._waiting.append((item, future))
        self._start()
        return future

    def _start(self) -> None:
        if self._waiting and not self._is_starting and len(self._running) < self._flushers:
            self._is_starting = True
            # A context of its own: a set is of many callers, and must not log under the name of the first.
            self._running.add(asyncio.create_task(self._run(), context=Context()))

    async def _run(self) -> None:
        self._is_starting = False
        try:
            while self._waiting:
                size = min(len(self._waiting), self._max_size)
                taken = [self._waiting.popleft() for _ in range(size)]
                self._start()  # what is left over is somebody else's, if there is room for another flush
                wanted = [pair for pair in taken if not pair[1].done()]  # a caller who left takes its item along
                if wanted:
                    await self._settle(wanted)
        finally:
            # Here and not in a callback of the task: between the two an item would wait for a flush that never comes.
            task = asyncio.current_task()
            if task is not None:
                self._running.discard(task)

    async def _settle(self, pairs: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._flush([item for item, _ in pairs])
            for (_, future), result in zip(pairs, results, strict=True):
                resolve(future, result)
        except Transient as everybodys:
            fail(pairs, everybodys)
        except asyncio.CancelledError:
            fail(pairs, ShuttingDown("the flush was cancelled"))
            raise
        except Exception as failure:  # row by row: one event never changes another's fate
            if len(pairs) == 1:
                fail(pairs, failure)
                return
            for pair in pairs:
                await self._settle([pair])


def resolve(future: asyncio.Future[Result], result: Result | Exception) -> None:
    """Give a waiting caller its result, unless it has left."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def fail(pairs: Sequence[tuple[Item, asyncio.Future[Result]]], failure: Exception) -> None:
    """Give every waiting caller the same failure."""
    for _, future in pairs:
        resolve(future, failure)
