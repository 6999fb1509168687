"""One breaker per provider and tenant, shared by every process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.step.breaking import Gatekeeper
from shared.store import Store
from shared.store.breakers import Breakers, BreakerState

TENANT, PROVIDER = "default", "mail"
SHORT = 0.05
AT_FAULT = Outcome(kind=OutcomeKind.TRANSIENT, code="timeout", provider=PROVIDER, provider_at_fault=True)
BAD_RECIPIENT = Outcome(kind=OutcomeKind.PERMANENT, code="550", provider=PROVIDER)
THROTTLED = Outcome(kind=OutcomeKind.THROTTLED, code="429", provider=PROVIDER)
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider=PROVIDER)


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(3):
            each = Store(database_url, breaker_open_seconds=SHORT)
            await each.open()
            stack.push_async_callback(each.close)
            opened.append(each)
        yield opened


@pytest.fixture
def breakers(stores: list[Store]) -> Breakers:
    return stores[0].breakers


async def state(breakers: Breakers, tenant: str = TENANT) -> BreakerState:
    return (await breakers.read(tenant, PROVIDER)).state


async def fail(breakers: Breakers, times: int) -> None:
    for _ in range(times):
        await breakers.fail(TENANT, PROVIDER, None)


async def wait_until_it_may_be_probed(breakers: Breakers) -> None:
    async with asyncio.timeout(10):
        while (await breakers.read(TENANT, PROVIDER)).wait_seconds > 0:  # noqa: ASYNC110 - the database's clock
            await asyncio.sleep(0.01)


async def opened_and_due(breakers: Breakers) -> None:
    await fail(breakers, 5)
    await wait_until_it_may_be_probed(breakers)


async def test_the_fifth_failure_in_a_row_opens_it(breakers: Breakers) -> None:
    await fail(breakers, 4)
    after_four = await state(breakers)

    await fail(breakers, 1)

    assert (after_four, await state(breakers)) == (BreakerState.CLOSED, BreakerState.OPEN)


async def test_failures_that_are_counted_at_once_are_all_counted(stores: list[Store]) -> None:
    await asyncio.gather(*[store.breakers.fail(TENANT, PROVIDER, None) for store in stores for _ in range(4)])

    assert (await stores[0].breakers.read(TENANT, PROVIDER)).failures == 12


async def test_a_success_in_between_starts_the_count_again(breakers: Breakers) -> None:
    await fail(breakers, 4)

    await breakers.succeed(TENANT, PROVIDER, None)
    await fail(breakers, 4)

    assert await state(breakers) is BreakerState.CLOSED


async def test_another_tenant_is_not_held_back(breakers: Breakers) -> None:
    await fail(breakers, 5)

    assert await state(breakers, "other") is BreakerState.CLOSED


async def test_while_it_is_open_nobody_may_probe(database_url: str) -> None:
    store = Store(database_url, breaker_open_seconds=60)
    await store.open()
    await fail(store.breakers, 5)

    is_probe = await store.breakers.try_probe(TENANT, PROVIDER, uuid4())
    breaker = await store.breakers.read(TENANT, PROVIDER)
    await store.close()

    assert not is_probe
    assert 50 < breaker.wait_seconds <= 60


async def test_of_twenty_askers_in_three_processes_exactly_one_probes(stores: list[Store]) -> None:
    await opened_and_due(stores[0].breakers)
    keepers = [Gatekeeper(store.breakers, PROVIDER) for store in stores]

    gates = await asyncio.gather(*[keepers[number % 3].ask(TENANT, uuid4()) for number in range(20)])

    assert sum(1 for gate in gates if gate.probe) == 1
    assert all(gate.wait_seconds for gate in gates if not gate.probe)


async def test_a_probe_that_comes_through_closes_it(breakers: Breakers) -> None:
    await opened_and_due(breakers)
    probe = uuid4()
    await breakers.try_probe(TENANT, PROVIDER, probe)

    await breakers.succeed(TENANT, PROVIDER, probe)

    assert await breakers.read(TENANT, PROVIDER) == type(await breakers.read(TENANT, PROVIDER))()


async def test_a_probe_that_fails_opens_it_again(breakers: Breakers) -> None:
    await opened_and_due(breakers)
    probe = uuid4()
    await breakers.try_probe(TENANT, PROVIDER, probe)

    await breakers.fail(TENANT, PROVIDER, probe)

    assert await state(breakers) is BreakerState.OPEN


async def test_only_the_probe_decides_while_one_is_under_way(breakers: Breakers) -> None:
    await opened_and_due(breakers)
    await breakers.try_probe(TENANT, PROVIDER, uuid4())

    await breakers.succeed(TENANT, PROVIDER, uuid4())
    after_anothers_success = await state(breakers)
    await breakers.fail(TENANT, PROVIDER, None)

    assert after_anothers_success is BreakerState.HALF_OPEN
    assert await state(breakers) is BreakerState.HALF_OPEN


async def test_a_dead_prober_frees_its_place_and_its_late_word_counts_no_more(stores: list[Store]) -> None:
    breakers, dead, heir = stores[0].breakers, uuid4(), uuid4()
    await opened_and_due(breakers)
    await breakers.try_probe(TENANT, PROVIDER, dead)
    while_it_may_live = await breakers.try_probe(TENANT, PROVIDER, heir)
    await stores[0].database.run("UPDATE breakers SET probe_until = clock_timestamp()")

    when_it_is_dead = await stores[1].breakers.try_probe(TENANT, PROVIDER, heir)
    await breakers.fail(TENANT, PROVIDER, dead)

    assert (while_it_may_live, when_it_is_dead) == (False, True)
    assert await state(breakers) is BreakerState.HALF_OPEN


async def test_a_probe_that_called_nothing_leaves_its_place_to_the_next(breakers: Breakers) -> None:
    await opened_and_due(breakers)
    idle = uuid4()
    await breakers.try_probe(TENANT, PROVIDER, idle)

    await breakers.release(TENANT, PROVIDER, idle)

    assert await breakers.try_probe(TENANT, PROVIDER, uuid4())


@pytest.mark.parametrize("outcome", [BAD_RECIPIENT, THROTTLED])
async def test_a_bad_recipient_or_a_throttle_never_opens_it(breakers: Breakers, outcome: Outcome) -> None:
    keeper = Gatekeeper(breakers, PROVIDER)

    for _ in range(20):
        await keeper.note(TENANT, outcome, None)

    assert (await keeper.ask(TENANT, uuid4())).wait_seconds is None


async def test_a_throttle_does_not_end_a_run_of_failures(breakers: Breakers) -> None:
    keeper = Gatekeeper(breakers, PROVIDER)

    for outcome in (*[AT_FAULT] * 4, THROTTLED, AT_FAULT):
        await keeper.ask(TENANT, uuid4())
        await keeper.note(TENANT, outcome, None)

    assert (await keeper.ask(TENANT, uuid4())).wait_seconds is not None


async def test_a_success_ends_a_run_of_failures(breakers: Breakers) -> None:
    keeper = Gatekeeper(breakers, PROVIDER)

    for outcome in (*[AT_FAULT] * 4, ACCEPTED, AT_FAULT):
        await keeper.ask(TENANT, uuid4())
        await keeper.note(TENANT, outcome, None)

    assert (await keeper.ask(TENANT, uuid4())).wait_seconds is None


async def test_as_long_as_all_is_well_the_database_hears_nothing(stores: list[Store]) -> None:
    keeper = Gatekeeper(stores[0].breakers, PROVIDER)

    for _ in range(3):
        await keeper.ask(TENANT, uuid4())
        await keeper.note(TENANT, ACCEPTED, None)

    assert await stores[0].database.fetch("SELECT * FROM breakers") == []
