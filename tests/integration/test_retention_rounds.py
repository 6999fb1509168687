"""Retention goes through everything in rounds, a bounded set at a time, and in nobody's way."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from functions.sweep import retaining
from shared.errors import DatabaseUnavailable
from shared.events import Event, EventType
from shared.statuses import NotificationStatus
from shared.store import Store
from tests.integration.retaining import DAYS, ended, is_there, pass_days, rows_of
from tests.world import World


async def _other_tenants(world: World, *names: str) -> None:
    """Give tenants one ended notification each."""
    for name in names:
        await world.store.database.run(
            """INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, status, expires_at)
            VALUES (%s, %s, '1', 'x', '', '', '{}', 'sent', clock_timestamp())""",
            (uuid4(), name),
        )


async def test_a_round_goes_through_every_tenant_in_sets(keeping: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping.store.retention, "largest_set", 2)
    for number in range(5):
        await ended(keeping, f"order-{number}")
    await _other_tenants(keeping, "acme", "zoo")
    await pass_days(keeping)

    looked = []
    while (progress := await keeping.store.retention.go_on(DAYS)).may_go_on:
        looked.append((progress.looked_at, progress.deleted))

    assert looked == [(0, 0), (0, 0), (1, 1), (2, 2), (2, 2), (1, 1)]
    assert (progress.looked_at, progress.deleted) == (1, 1)
    assert await keeping.store.database.fetch("SELECT id FROM notifications") == []


async def test_a_tick_deletes_a_bounded_part_and_the_next_goes_on(
    keeping: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.store.retention, "largest_set", 1)
    monkeypatch.setattr(retaining, "MOST_NOTIFICATIONS", 2)
    first, second, third = [await ended(keeping, f"order-{number}") for number in range(3)]
    await pass_days(keeping)

    await keeping.sweep()
    after_one = [await is_there(keeping, key) for key in (first, second, third)]
    await keeping.sweep()

    assert after_one == [False, False, True], "the oldest go first"
    assert await rows_of(keeping, first, second, third) == Counter()


async def test_the_next_round_begins_an_hour_later_and_looks_again_at_what_was_left_behind(keeping: World) -> None:
    notification = await ended(keeping)
    await pass_days(keeping)
    async with keeping.store.database.transaction() as connection:
        await connection.execute("SELECT FROM notifications WHERE id = %s FOR UPDATE", (notification,))
        await keeping.sweep()
    await keeping.sweep()
    in_this_hour = await is_there(keeping, notification)

    await pass_days(keeping, 1 / 24)
    await keeping.sweep()

    assert in_this_hour
    assert not await is_there(keeping, notification)


async def test_who_lets_more_days_be_kept_is_heard_in_the_middle_of_a_round(keeping: World) -> None:
    notification = await ended(keeping)
    await pass_days(keeping)
    began = await keeping.store.retention.go_on(DAYS)

    while (progress := await keeping.store.retention.go_on(2 * DAYS)).may_go_on:
        pass

    assert (began.may_go_on, progress.deleted) == (True, 0)
    assert await is_there(keeping, notification)


async def test_two_sweeps_at_once_do_the_work_of_one(keeping: World, another_store: Store) -> None:
    keys = [await ended(keeping, f"order-{number}") for number in range(5)]
    await pass_days(keeping)

    async def all_of_it(store: Store) -> int:
        deleted = 0
        for _ in range(10):
            deleted += (await store.retention.go_on(DAYS)).deleted
        return deleted

    counts = await asyncio.gather(all_of_it(keeping.store), all_of_it(another_store))

    assert sum(counts) == len(keys)
    assert await rows_of(keeping, *keys) == Counter()


async def test_a_set_that_cannot_be_deleted_holds_up_nothing_else_of_the_sweep(keeping: World) -> None:
    await ended(keeping)
    await pass_days(keeping)
    await keeping.store.database.run("ALTER TABLE undoings RENAME TO elsewhere")
    waiting = await keeping.post("order-2")
    keeping.lose_messages()
    await keeping.turn_clock(31)

    answer = await keeping.sweep()
    await keeping.deliver_everything()

    assert answer == 204
    assert await keeping.status_of(waiting) is NotificationStatus.SENT


async def test_the_figures_of_a_tick_do_not_hang_on_retention(keeping: World, another_store: Store) -> None:
    await another_store.close()
    keeping.resources.store.retention = another_store.retention

    with pytest.raises(DatabaseUnavailable):
        await retaining.delete_ended(keeping.resources)
    answer = await keeping.sweeper.take([Event(id=str(uuid4()), source="/tests", type=EventType.TICK)])

    assert answer == [503]
    assert "backlog" in await keeping.store.gauges.figures()
