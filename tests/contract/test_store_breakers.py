"""One breaker per provider and tenant, in Postgres and in memory."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from shared.store.breakers import OPEN_SECONDS, PROBE_SECONDS, Breaker, BreakerState
from tests.contract.stage import TENANT, Stage

PROVIDER = "mail"


async def fail(stage: Stage, times: int) -> None:
    for _ in range(times):
        await stage.store.breakers.fail(TENANT, PROVIDER, None)


async def state(stage: Stage, tenant: str = TENANT) -> BreakerState:
    return (await stage.store.breakers.read(tenant, PROVIDER)).state


async def opened_and_due(stage: Stage) -> None:
    await fail(stage, 5)
    await stage.turn_clock(OPEN_SECONDS + 1)


async def test_the_fifth_failure_in_a_row_opens_it_for_its_tenant_alone(stage: Stage) -> None:
    await fail(stage, 4)
    after_four = await state(stage)

    await fail(stage, 1)

    breaker = await stage.store.breakers.read(TENANT, PROVIDER)
    assert (after_four, breaker.state, breaker.failures) == (BreakerState.CLOSED, BreakerState.OPEN, 5)
    assert OPEN_SECONDS - 2 < breaker.wait_seconds <= OPEN_SECONDS
    assert await stage.store.breakers.read("other", PROVIDER) == Breaker()


async def test_a_success_in_between_starts_the_count_again(stage: Stage) -> None:
    await fail(stage, 4)

    await stage.store.breakers.succeed(TENANT, PROVIDER, None)
    await fail(stage, 4)

    assert await state(stage) is BreakerState.CLOSED


async def test_a_late_failure_does_not_keep_it_open_for_longer(stage: Stage) -> None:
    await fail(stage, 5)
    await stage.turn_clock(30)

    await fail(stage, 1)

    assert (await stage.store.breakers.read(TENANT, PROVIDER)).wait_seconds <= OPEN_SECONDS - 30


async def test_nobody_probes_what_is_closed_or_still_open(stage: Stage) -> None:
    while_closed = await stage.store.breakers.try_probe(TENANT, PROVIDER, uuid4())
    await fail(stage, 5)
    while_open = await stage.store.breakers.try_probe(TENANT, PROVIDER, uuid4())

    assert (while_closed, while_open) == (False, False)


async def test_of_many_who_ask_exactly_one_probes(stage: Stage) -> None:
    await opened_and_due(stage)

    answers = await asyncio.gather(*[stage.store.breakers.try_probe(TENANT, PROVIDER, uuid4()) for _ in range(10)])

    breaker = await stage.store.breakers.read(TENANT, PROVIDER)
    assert sorted(answers) == [False] * 9 + [True]
    assert breaker.state is BreakerState.HALF_OPEN
    assert 0 < breaker.wait_seconds <= PROBE_SECONDS


async def test_the_probe_alone_decides_and_closes_it(stage: Stage) -> None:
    await opened_and_due(stage)
    probe = uuid4()
    await stage.store.breakers.try_probe(TENANT, PROVIDER, probe)

    await stage.store.breakers.succeed(TENANT, PROVIDER, uuid4())
    await stage.store.breakers.fail(TENANT, PROVIDER, None)
    meanwhile = await state(stage)
    await stage.store.breakers.succeed(TENANT, PROVIDER, probe)

    assert meanwhile is BreakerState.HALF_OPEN
    assert await stage.store.breakers.read(TENANT, PROVIDER) == Breaker()


async def test_a_probe_that_fails_opens_it_again(stage: Stage) -> None:
    await opened_and_due(stage)
    probe = uuid4()
    await stage.store.breakers.try_probe(TENANT, PROVIDER, probe)

    await stage.store.breakers.fail(TENANT, PROVIDER, probe)

    breaker = await stage.store.breakers.read(TENANT, PROVIDER)
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_seconds > OPEN_SECONDS - 2


async def test_a_dead_probe_frees_its_place_after_its_time_and_a_released_one_at_once(stage: Stage) -> None:
    await opened_and_due(stage)
    dead, heir, third = uuid4(), uuid4(), uuid4()
    await stage.store.breakers.try_probe(TENANT, PROVIDER, dead)
    too_early = await stage.store.breakers.try_probe(TENANT, PROVIDER, heir)
    await stage.turn_clock(PROBE_SECONDS + 1)

    after_its_time = await stage.store.breakers.try_probe(TENANT, PROVIDER, heir)
    await stage.store.breakers.release(TENANT, PROVIDER, dead)
    while_the_heir_tries = await stage.store.breakers.try_probe(TENANT, PROVIDER, third)
    await stage.store.breakers.release(TENANT, PROVIDER, heir)
    after_the_release = await stage.store.breakers.try_probe(TENANT, PROVIDER, third)

    assert (too_early, after_its_time, while_the_heir_tries, after_the_release) == (False, True, False, True)
