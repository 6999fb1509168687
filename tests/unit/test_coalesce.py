"""Calls that come together become one set, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.coalesce import Coalescer
from shared.errors import DatabaseUnavailable, ShuttingDown


class Store:
    """Keeps sets; its gate holds the flush back, and it refuses what it was told to."""

    def __init__(self) -> None:
        self.sets: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.bad: set[int] = set()
        self.is_away = False

    async def flush(self, items: Sequence[int]) -> list[int]:
        """Double every item, or fail as a statement does: all of it."""
        self.sets.append(list(items))
        await self.gate.wait()
        if self.is_away:
            raise DatabaseUnavailable("away")
        if self.bad.intersection(items):
            raise ValueError("a bad row")
        return [2 * item for item in items]


async def settled(*tasks: asyncio.Task[int]) -> list[int | BaseException]:
    """Wait for the ends, with a deadline."""
    async with asyncio.timeout(5):
        return await asyncio.gather(*tasks, return_exceptions=True)


async def turns(count: int = 5) -> None:
    """Let everything that can run, run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_single_call_is_flushed_at_once_and_alone() -> None:
    store = Store()
    coalescer = Coalescer[int, int](store.flush)

    async with asyncio.timeout(5):
        assert await coalescer.submit(21) == 42

    assert store.sets == [[21]]


async def test_one_call_after_another_is_answered_each_time() -> None:
    store = Store()
    coalescer = Coalescer[int, int](store.flush)

    async with asyncio.timeout(5):
        answers = [await coalescer.submit(item) for item in range(5)]

    assert answers == [0, 2, 4, 6, 8]


async def test_an_idle_coalescer_waits_for_no_timer_and_for_nobody() -> None:
    coalescer = Coalescer[int, int](Store().flush)

    answer = asyncio.create_task(coalescer.submit(1))
    await turns()

    assert answer.done()


async def test_calls_that_come_while_a_flush_runs_become_the_next_set() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush)

    tasks = [asyncio.create_task(coalescer.submit(item)) for item in range(4)]
    await turns()
    late = [asyncio.create_task(coalescer.submit(item)) for item in range(4, 7)]
    await turns()
    waiting = len(coalescer)
    store.gate.set()

    assert await settled(*tasks, *late) == [0, 2, 4, 6, 8, 10, 12]
    assert waiting == 3
    assert store.sets == [[0, 1, 2, 3], [4, 5, 6]]


async def test_no_set_is_larger_than_allowed() -> None:
    store = Store()
    coalescer = Coalescer[int, int](store.flush, max_size=2)

    async with asyncio.timeout(5):
        answers = await coalescer.submit_all(range(5))

    assert answers == [0, 2, 4, 6, 8]
    assert store.sets == [[0, 1], [2, 3], [4]]


async def test_no_more_sets_run_at_once_than_allowed() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush, max_size=1, flushers=2)

    tasks = [asyncio.create_task(coalescer.submit(item)) for item in range(4)]
    await turns()
    at_once = len(store.sets)
    store.gate.set()
    await settled(*tasks)

    assert at_once == 2


async def test_a_bad_row_fails_alone() -> None:
    store = Store()
    store.bad = {2}
    coalescer = Coalescer[int, int](store.flush)

    async with asyncio.timeout(5):
        answers = await coalescer.submit_all([1, 2, 3])

    assert (answers[0], answers[2]) == (2, 6)
    assert isinstance(answers[1], ValueError)


async def test_a_row_that_is_answered_with_its_own_failure_fails_alone() -> None:
    async def flush(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError("odd") if item % 2 else item for item in items]

    coalescer = Coalescer[int, int](flush)

    async with asyncio.timeout(5):
        answers = await coalescer.submit_all([2, 3])

    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)


async def test_when_the_database_is_away_everybody_hears_it_and_nobody_tries_row_by_row() -> None:
    store = Store()
    store.is_away = True
    coalescer = Coalescer[int, int](store.flush)

    async with asyncio.timeout(5):
        answers = await coalescer.submit_all([1, 2, 3])

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 3
    assert store.sets == [[1, 2, 3]]


async def test_a_failure_is_not_the_next_sets_failure() -> None:
    store = Store()
    store.is_away = True
    coalescer = Coalescer[int, int](store.flush)
    async with asyncio.timeout(5):
        await coalescer.submit_all([1])

        store.is_away = False
        answer = await coalescer.submit(2)

    assert answer == 4


async def test_a_caller_who_left_takes_its_item_along() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush)
    first = asyncio.create_task(coalescer.submit(1))
    await turns()
    leaver, stayer = asyncio.create_task(coalescer.submit(2)), asyncio.create_task(coalescer.submit(3))
    await turns()

    leaver.cancel()
    await turns()
    store.gate.set()
    await settled(first, leaver, stayer)

    assert store.sets == [[1], [3]]


async def test_a_caller_who_leaves_during_the_flush_disturbs_nobody() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush)
    leaver, stayer = asyncio.create_task(coalescer.submit(1)), asyncio.create_task(coalescer.submit(2))
    await turns()

    leaver.cancel()
    await turns()
    store.gate.set()
    answers = await settled(leaver, stayer)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1] == 4


async def test_closing_flushes_what_was_taken_and_takes_no_more() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush, max_size=1)
    tasks = [asyncio.create_task(coalescer.submit(item)) for item in (1, 2)]
    await turns()

    closing = asyncio.create_task(coalescer.close())
    await turns()
    was_closed_early = closing.done()
    with pytest.raises(ShuttingDown):
        await coalescer.submit(3)
    store.gate.set()
    async with asyncio.timeout(5):
        await closing

    assert not was_closed_early
    assert [task.result() for task in tasks] == [2, 4]
    assert store.sets == [[1], [2]]


async def test_what_does_not_fit_into_one_set_is_flushed_beside_it() -> None:
    store = Store()
    store.gate.clear()
    coalescer = Coalescer[int, int](store.flush, max_size=2, flushers=2)

    tasks = [asyncio.create_task(coalescer.submit(item)) for item in range(5)]
    await turns()
    at_once = [list(each) for each in store.sets]
    store.gate.set()

    assert await settled(*tasks) == [0, 2, 4, 6, 8]
    assert at_once == [[0, 1], [2, 3]]
