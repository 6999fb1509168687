"""Limits in one process and over several: the same promises, and what happens while Redis is away."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from shared.errors import RateExceeded
from shared.limiting import Limits, RedisAway
from shared.limiting.limits import PAUSE_SECONDS
from shared.limiting.redis_buckets import RedisBuckets
from shared.metrics import Metrics
from shared.rates import Rate
from tests.redis_server import RedisForTests

HOURLY = Rate(calls=10, period_seconds=3600)
"""So slow that nothing comes back while a test runs."""
PATIENT_SECONDS = 20.0

redis = pytest.mark.redis


@pytest.fixture
async def buckets(redis_url: str) -> AsyncIterator[RedisBuckets]:
    opened = RedisBuckets(redis_url, deadline_seconds=PATIENT_SECONDS)
    yield opened
    await opened.close()


def count(metrics: Metrics, name: str = "carillon_limits_unshared_total") -> float:
    registry: CollectorRegistry = metrics.registry
    return registry.get_sample_value(name) or 0.0


async def let_through(limits: Limits, caller: str, calls: int) -> int:
    passed = 0
    for _ in range(calls):
        try:
            await limits.take(caller, "key", HOURLY)
        except RateExceeded:
            continue
        passed += 1
    return passed


@redis
async def test_two_processes_share_one_limit(redis_url: str) -> None:
    both = [Limits(Metrics(), RedisBuckets(redis_url, deadline_seconds=PATIENT_SECONDS)) for _ in range(2)]
    caller = str(uuid4())

    passed = [await let_through(limits, caller, 8) for limits in both]
    for limits in both:
        await limits.close()

    assert passed == [8, 2]


@redis
async def test_redis_judges_as_the_process_does(buckets: RedisBuckets) -> None:
    caller = str(uuid4())

    verdicts = [await buckets.take(caller, HOURLY, cost) for cost in (1, 4, 5, 1)]
    alone = await buckets.take(str(uuid4()), HOURLY, 500)

    assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [9, 5, 0, 0]
    assert verdicts[-1].wait_seconds == pytest.approx(360, abs=PATIENT_SECONDS)
    assert alone.is_allowed


@redis
async def test_room_comes_back_by_the_clock_of_redis_and_nothing_stays_behind(buckets: RedisBuckets) -> None:
    caller, fast = str(uuid4()), Rate(calls=1000, period_seconds=1)

    verdicts = [await buckets.take(caller, fast, 1000), await buckets.take(caller, fast, 1)]
    left = await buckets._redis.pttl(f"carillon:limit:{caller}")

    assert verdicts[0].is_allowed
    assert verdicts[1].remaining >= 0
    assert 0 < left <= 1_001 or left == -2


@redis
async def test_whoever_calls_over_redis_leaves_no_name_that_is_not_its_own(buckets: RedisBuckets) -> None:
    callers = [str(uuid4()) for _ in range(2)]

    first = [await buckets.take(callers[0], HOURLY) for _ in range(10)]

    assert first[-1].remaining == 0
    assert (await buckets.take(callers[1], HOURLY)).remaining == 9


async def test_without_redis_a_process_has_limits_of_its_own() -> None:
    limits = Limits(Metrics())

    assert await let_through(limits, "caller", 15) == 10


class Unreachable:
    """A port behind which nobody is, or somebody who says nothing."""

    def __init__(self, *, listens: bool) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        if listens:
            self.socket.listen(64)
        self.url = f"redis://127.0.0.1:{self.socket.getsockname()[1]}/0"


@pytest.mark.parametrize("listens", [False, True], ids=["nobody is there", "it says nothing"])
async def test_while_redis_is_away_each_process_limits_its_own_callers_and_says_so_once(
    *, listens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    away, metrics, now = Unreachable(listens=listens), Metrics(), [0.0]
    buckets = RedisBuckets(away.url, deadline_seconds=0.05)
    limits = Limits(metrics, buckets, clock=lambda: now[0])

    with caplog.at_level(logging.INFO):
        passed = await let_through(limits, "caller", 15)
        now[0] += PAUSE_SECONDS
        await let_through(limits, "caller", 1)
    await limits.close()
    away.socket.close()

    assert passed == 10
    assert count(metrics) == 16
    assert [record.levelname for record in caplog.records if record.name == "shared.limiting.limits"] == ["WARNING"]


@redis
async def test_limits_are_shared_again_when_redis_is_back_with_nothing_in_it(caplog: pytest.LogCaptureFixture) -> None:
    server, metrics, now = RedisForTests(), Metrics(), [0.0]
    server.start()
    limits = Limits(metrics, RedisBuckets(server.url, deadline_seconds=PATIENT_SECONDS), clock=lambda: now[0])
    caller = str(uuid4())
    before = await let_through(limits, caller, 10)

    server.kill()
    meanwhile = await let_through(limits, caller, 15)
    unshared = count(metrics)
    server.start()
    now[0] += PAUSE_SECONDS
    after = await let_through(limits, caller, 15)
    await limits.close()
    server.discard()

    assert (before, meanwhile, after) == (10, 10, 10)
    assert (unshared, count(metrics)) == (15, 15)


@pytest.mark.parametrize("nonsense", [["yes"], [[1, "soon"]], [[1]], [None], []])
async def test_an_answer_that_is_none_of_redis_is_as_no_answer(
    nonsense: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = RedisBuckets("redis://127.0.0.1:1/0")

    async def answer(_: object) -> list[object]:
        return nonsense

    monkeypatch.setattr(buckets, "_run", answer)
    with pytest.raises(RedisAway):
        await buckets.take("caller", HOURLY)
    await buckets.close()


@redis
async def test_many_calls_at_once_are_asked_together_and_judged_one_by_one(buckets: RedisBuckets) -> None:
    callers = [str(uuid4()) for _ in range(20)]

    verdicts = await asyncio.gather(*(buckets.take(caller, HOURLY) for caller in callers * 15))

    assert sum(verdict.is_allowed for verdict in verdicts) == 20 * HOURLY.calls
    assert len(buckets._redis.connection_pool._available_connections) <= 2


@pytest.mark.parametrize("now", [0.1, 170.2, 199.43, 1e7 / 3])
async def test_what_is_left_is_written_as_the_draft_has_it(now: float) -> None:
    limits = Limits(Metrics(), clock=lambda: now)

    first = await limits.take("caller", "key", HOURLY)
    await limits.take("caller", "key", HOURLY, 9)
    with pytest.raises(RateExceeded) as caught:
        await limits.take("caller", "key", HOURLY)

    assert first == {"RateLimit-Policy": '"key";q=10;w=3600', "RateLimit": '"key";r=9;t=360'}
    assert caught.value.headers == {"RateLimit-Policy": '"key";q=10;w=3600', "RateLimit": '"key";r=0;t=3600'}
    assert (caught.value.status, round(caught.value.retry_after_seconds or 0)) == (429, 360)
