from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from infrastructure.local.ping import PingRunner
from infrastructure.local.records import PingSource
from infrastructure.local.targets import Told


class Sweep:
    """A function that keeps its ticks and gives each the same answer, when it is let."""

    together = 1

    def __init__(self, status: int = 204) -> None:
        self.status, self.seen = status, list[dict[str, Any]]()
        self.has_answered, self.may_answer = False, asyncio.Event()
        self.may_answer.set()

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        self.seen.extend(json.loads(body) for body in bodies)
        await self.may_answer.wait()
        self.has_answered = True
        return [self.status] * len(bodies)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0)


class Clock:
    """A clock that moves when somebody sleeps, and stops the loop at its end."""

    def __init__(self, end_seconds: float) -> None:
        self.moment = self.start = datetime(2026, 11, 20, 12, 0, 0, 300_000, tzinfo=UTC)
        self.end = self.start + timedelta(seconds=end_seconds)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)
        if self.moment > self.end:
            await asyncio.get_running_loop().create_future()


async def ticks(target: Any, clock: Clock) -> None:
    tick = PingSource(name="sweep", schedule="*/5 * * * * *", service="sweep", namespace="carillon", data='{"x": 1}')
    runner = PingRunner(tick, target, now=clock.now, sleep=clock.sleep)
    await runner.start()
    await until(lambda: clock.moment > clock.end)
    await runner.stop(drain_seconds=0.01)


async def test_a_tick_is_a_cloud_event_with_an_id_of_its_own() -> None:
    sweep = Sweep()

    await ticks(sweep, Clock(15))

    assert [one["time"] for one in sweep.seen] == [f"2026-11-20T12:00:{second}Z" for second in ("05", "10", "15")]
    assert len({one["id"] for one in sweep.seen}) == 3
    assert sweep.seen[0]["type"] == "dev.knative.sources.ping"
    assert sweep.seen[0]["source"] == "/apis/v1/namespaces/carillon/pingsources/sweep"
    assert sweep.seen[0]["data"] == {"x": 1}


async def test_ticks_that_a_slow_sweep_missed_are_left_out() -> None:
    clock = Clock(30)
    begun: list[float] = []

    class Slow:
        async def deliver(self, _: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
            begun.append((clock.moment - clock.start).total_seconds())
            clock.moment += timedelta(seconds=12)
            return [204]

    await ticks(Slow(), clock)

    assert begun == [4.7, 19.7]


async def test_a_tick_that_is_refused_for_now_is_tried_again_and_then_given_up() -> None:
    target = Sweep(503)

    await ticks(target, Clock(8.5))

    assert len(target.seen) == 6


async def test_stopping_waits_for_a_tick_under_way() -> None:
    target = Sweep()
    target.may_answer.clear()
    clock = Clock(5)
    tick = PingSource(name="sweep", schedule="*/5 * * * * *", service="sweep")
    runner = PingRunner(tick, target, now=clock.now, sleep=clock.sleep)
    await runner.start()
    await until(lambda: bool(target.seen))

    stopping = asyncio.create_task(runner.stop())
    for _ in range(20):
        await asyncio.sleep(0)
    had_stopped = stopping.done()
    target.may_answer.set()
    await stopping

    assert not had_stopped
    assert target.has_answered
