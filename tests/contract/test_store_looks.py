"""Looks that are brought forward, in Postgres and in memory: only ever earlier, and never for what has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from shared.ids import fan_out_id
from shared.saga import Cancelled, Plan, Routed, decide
from shared.saga.owed import NO_GRACE
from shared.statuses import NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.fan_outs import NewFanOut
from shared.waits import Wait
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, Stage, outcome
from tests.world import World

SALE = fan_out_id(TENANT, "shop", "sale")


@pytest.fixture
async def exact(database_url: str) -> AsyncIterator[Stage]:
    """A store where no queue holds anything back."""
    opened = Store(database_url, grace=NO_GRACE)
    await opened.open()
    yield await Stage(opened, World(opened).turn_clock).settle_in()
    await opened.close()


async def look_in(stage: Stage, key: UUID) -> float:
    return round(await stage.next_look_in(key) or 0, 1)


async def test_what_waits_is_looked_at_when_it_has_waited(stage: Stage) -> None:
    one, two = [await stage.keep(number) for number in range(2)]

    count = await stage.store.looks.look_by([Wait(two, 4.5), Wait(one, 7), Wait(one, 2)])

    assert count == 2
    assert [await look_in(stage, key) for key in (one, two)] == [pytest.approx(2, abs=0.3), pytest.approx(4.5, abs=0.3)]


async def test_no_look_is_put_off(stage: Stage) -> None:
    key = await stage.keep()

    count = await stage.store.looks.look_by([Wait(key, 31), Wait(uuid4(), 1)])

    assert count == 0
    assert await look_in(stage, key) == pytest.approx(30, abs=0.5)


async def test_what_has_ended_is_not_looked_at_again(stage: Stage) -> None:
    key = await stage.keep()
    ended = await stage.fold(key, Cancelled(by="the caller"))

    count = await stage.store.looks.look_by([Wait(key, 1)])

    assert (count, ended.status, await stage.next_look_in(key)) == (0, NotificationStatus.CANCELLED, None)


async def test_nothing_to_bring_forward_asks_nothing(stage: Stage) -> None:
    looks = stage.store.looks

    assert [await looks.look_by([]), await looks.fan_outs_by([], 1), await looks.late_successes_by([], 1)] == [0, 0, 0]


async def test_an_event_for_many_users_is_gone_on_with_sooner(stage: Stage) -> None:
    sale = NewFanOut(id=SALE, tenant=TENANT, event_type="sale", body_hash=b"", event="", user_ids=("1", "2"))
    await stage.store.fan_outs.keep(sale)

    counts = [await stage.store.looks.fan_outs_by([SALE, SALE, uuid4()], seconds) for seconds in (10, 20)]

    assert counts == [1, 0]
    await stage.turn_clock(10.5)
    assert [one.id for one in await stage.store.fan_outs.due(10)] == [SALE]


async def test_a_late_success_is_announced_sooner(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    await stage.claim(command)
    await stage.record(command, mine.token, outcome(OutcomeKind.ACCEPTED))
    assert mine.token is not None

    pair = (command.notification_id, mine.token)
    counts = [await stage.store.looks.late_successes_by([pair, (uuid4(), uuid4())], seconds) for seconds in (10, 20)]

    assert counts == [1, 0]
    await stage.turn_clock(10.5)
    assert [late.result.token for late in await stage.store.sagas.late_successes(10)] == [mine.token]


async def test_where_no_queue_holds_it_back_what_waits_is_looked_at_when_it_is_due(exact: Stage) -> None:
    command = await exact.route()
    claim = await exact.claim(command)
    await exact.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))

    saga = await exact.fold_attempt(command, claim.token)

    (delivery,) = saga.deliveries
    assert delivery.due_at is not None
    assert (await exact.saga(saga.id)).next_look_at == delivery.due_at


async def test_the_way_without_locks_looks_when_it_is_due_too(exact: Stage) -> None:
    command = await exact.route()
    claim = await exact.claim(command)
    await exact.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))
    assert claim.token is not None

    async with exact.store.unlocked.sagas() as sagas:
        pair = (command.notification_id, claim.token)
        (change,) = (await sagas.load([], [pair])).values()
        change.take(decide(change.before, (await sagas.attempts([pair]))[pair], sagas.now))
        await sagas.save([change])

    saga = await exact.saga(command.notification_id)
    assert saga.next_look_at == saga.deliveries[0].due_at


async def test_a_sweep_that_comes_too_early_looks_again_when_it_is_due(exact: Stage) -> None:
    key = await exact.keep()
    await exact.fold(key, Routed(plan=Plan(), wanted=(EMAIL,)))
    await exact.store.database.run(
        "UPDATE deliveries SET status = 'deferred', due_at = clock_timestamp() + interval '9 seconds'"
    )
    await exact.store.looks.look_by([Wait(key, 0)])

    async with exact.store.sagas.transaction() as sagas:
        await sagas.save(list((await sagas.lock_due(10)).values()), looked=True)

    saga = await exact.saga(key)
    assert saga.next_look_at == saga.deliveries[0].due_at
    assert timedelta(seconds=8) < (await exact.next_look_in(key) or 0) * timedelta(seconds=1) <= timedelta(seconds=9)
