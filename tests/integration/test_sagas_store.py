"""Sagas by the set: what the database allows, in which order it is locked, and when the sweep looks."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from shared.broker.topology import EVENTS
from shared.saga import Decision, Entry, Saga, What
from shared.statuses import (
    DELIVERY_TRANSITIONS,
    NOTIFICATION_TRANSITIONS,
    Channel,
    DeliveryStatus,
    NotificationStatus,
)
from shared.store import Store
from tests.world import World, until_somebody_waits_for_a_lock

_NOTIFICATION = """
INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, status, expires_at, next_look_at)
VALUES (%s, 'default', '1', 'order_shipped', 'test', '', '{}', %s, clock_timestamp() + interval '1 hour',
        clock_timestamp() - interval '1 second')
"""
_DELIVERY = """
INSERT INTO deliveries (notification_id, channel, tenant, status, position, epoch, content)
VALUES (%s, 'email', 'default', %s, 0, 0, '{}')
"""


async def may_follow(store: Store, insert: str, table: str, before: str, after: str) -> bool:
    """Try a change of status, and take it back."""
    key, column = uuid4(), "id" if table == "notifications" else "notification_id"
    try:
        async with store.database.transaction() as connection:
            await connection.execute(insert.encode(), (key, before))
            await connection.execute(f"UPDATE {table} SET status = %s WHERE {column} = %s".encode(), (after, key))
            raise _EnoughSeen
    except psycopg.errors.CheckViolation:
        return False
    except _EnoughSeen:
        return True


class _EnoughSeen(Exception):
    pass


async def test_the_database_lets_a_notification_go_only_where_the_table_says(store: Store) -> None:
    pairs = [(a, b) for a, b in product(NotificationStatus, repeat=2) if a is not b]

    allowed = {(a, b) for a, b in pairs if await may_follow(store, _NOTIFICATION, "notifications", a, b)}

    assert allowed == {(a, b) for a, following in NOTIFICATION_TRANSITIONS.items() for b in following}


async def test_the_database_lets_a_delivery_go_only_where_the_table_says(store: Store) -> None:
    pairs = [(a, b) for a, b in product(DeliveryStatus, repeat=2) if a is not b]

    allowed = {(a, b) for a, b in pairs if await may_follow(store, _DELIVERY, "deliveries", a, b)}

    assert allowed == {(a, b) for a, following in DELIVERY_TRANSITIONS.items() for b in following}


async def plant(store: Store, *numbers: int) -> list[UUID]:
    keys = [UUID(int=number) for number in numbers]
    for key in keys:
        await store.database.run(_NOTIFICATION, (key, "pending"))
    return keys


def skipped(saga: Saga) -> Decision:
    entry = Entry(what=What.SKIPPED, why="a test says so")
    return Decision(saga=saga.to(NotificationStatus.SKIPPED, entry.why), entries=(entry,))


async def column(store: Store, name: str, key: UUID) -> Any:
    return (await store.database.fetch(f"SELECT {name} FROM notifications WHERE id = %s", (key,)))[0][0]


async def test_a_written_saga_has_the_next_version_and_the_reason(store: Store) -> None:
    (key,) = await plant(store, 1)

    async with store.sagas.transaction() as sagas:
        change = (await sagas.lock([key]))[key]
        change.take(skipped(change.before))
        await sagas.save([change])

    assert (await column(store, "version", key), await column(store, "status", key)) == (1, "skipped")
    assert await column(store, "reason", key) == "a test says so"


async def test_a_saga_that_did_not_change_is_not_written(store: Store) -> None:
    one, other = await plant(store, 1, 2)

    async with store.sagas.transaction() as sagas:
        changes = await sagas.lock([one, other])
        changes[one].take(skipped(changes[one].before))
        await sagas.save(list(changes.values()))

    assert (await column(store, "version", one), await column(store, "version", other)) == (1, 0)


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    (key,) = await plant(store, 1)

    async def write_and_fail() -> None:
        async with store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            change.take(skipped(change.before))
            await sagas.save([change])
            raise _EnoughSeen

    with pytest.raises(_EnoughSeen):
        await write_and_fail()

    assert (await column(store, "version", key), await column(store, "status", key)) == (0, "pending")


async def test_rows_are_locked_in_the_order_of_their_ids_whatever_the_order_of_the_events(store: Store) -> None:
    keys = await plant(store, 5, 4, 3, 2, 1)  # on disk in the opposite order

    async def lock_all() -> None:
        async with store.sagas.transaction() as sagas:
            await sagas.lock([keys[0], keys[3], keys[1], keys[4], keys[2]])

    async with store.sagas.transaction() as holder:
        await holder.lock([UUID(int=3)])
        waiting = asyncio.create_task(lock_all())
        await until_somebody_waits_for_a_lock(store)
        free = await store.database.fetch("SELECT id FROM notifications ORDER BY id FOR UPDATE SKIP LOCKED")
    await waiting

    assert [row[0].int for row in free] == [4, 5]


async def test_two_who_fold_the_same_saga_do_so_one_after_the_other(store: Store) -> None:
    (key,) = await plant(store, 1)

    async def skip() -> bool:
        async with store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            if change.before.status is NotificationStatus.SKIPPED:
                return False
            change.take(skipped(change.before))
            await sagas.save([change])
            return True

    done = await asyncio.gather(*[skip() for _ in range(8)])

    assert (sorted(done), await column(store, "version", key)) == ([False] * 7 + [True], 1)


async def test_the_sweep_leaves_alone_what_somebody_works_on(store: Store) -> None:
    await plant(store, 1, 2, 3)

    async with store.sagas.transaction() as worker:
        await worker.lock([UUID(int=2)])
        async with store.sagas.transaction() as sweep:
            found = await sweep.lock_due(10)

    assert sorted(key.int for key in found) == [1, 3]


async def test_two_sweeps_at_once_share_the_work(store: Store) -> None:
    await plant(store, *range(1, 11))

    async with store.sagas.transaction() as one, store.sagas.transaction() as other:
        first, second = await one.lock_due(6), await other.lock_due(6)

    assert (len(first), len(second)) == (6, 4)
    assert not set(first) & set(second)


async def test_the_sweep_takes_the_oldest_first(store: Store) -> None:
    keys = await plant(store, 1, 2, 3)
    await store.database.run(
        "UPDATE notifications SET next_look_at = next_look_at - interval '1 hour' WHERE id = %s", (keys[2],)
    )

    async with store.sagas.transaction() as sweep:
        assert list(await sweep.lock_due(1)) == [keys[2]]


async def test_what_is_not_due_or_finished_is_not_looked_at(store: Store) -> None:
    await plant(store, 1, 2)
    await store.database.run(
        "UPDATE notifications SET next_look_at = CASE id WHEN %s THEN clock_timestamp() + interval '1 minute' END",
        (UUID(int=1),),
    )

    async with store.sagas.transaction() as sweep:
        assert await sweep.lock_due(10) == {}


async def test_the_sweep_looks_again_after_twice_the_time_up_to_a_quarter_of_an_hour(world: World) -> None:
    key = await world.post()
    waits = []

    for _ in range(7):
        world.lose_messages()
        await world.turn_clock(await world.next_look_in(key) or 0)
        await world.sweep()
        waits.append(await world.next_look_in(key) or 0)

    expected = [30, 60, 120, 240, 480, 900, 900]
    assert [high - 15 < wait <= high for wait, high in zip(waits, expected, strict=True)] == [True] * 7


async def test_progress_brings_the_sweep_back_to_short_steps(world: World) -> None:
    key = await world.post()
    for _ in range(4):
        world.lose_messages()
        await world.turn_clock(await world.next_look_in(key) or 0)
        await world.sweep()

    await world.deliver_queue(EVENTS)
    await world.turn_clock(await world.next_look_in(key) or 0)
    await world.sweep()

    assert (await world.next_look_in(key) or 0) <= 30


async def test_after_a_loss_everything_under_way_is_looked_at_within_ten_seconds(world: World) -> None:
    under_way, finished, scheduled = [await world.post(f"order-{number}") for number in range(3)]
    await world.store.database.run("UPDATE notifications SET next_look_at = clock_timestamp() + interval '15 minutes'")
    await world.store.database.run(
        "UPDATE notifications SET status = 'skipped', next_look_at = NULL WHERE id = %s", (finished,)
    )
    await world.store.database.run("ALTER TABLE notifications DISABLE TRIGGER USER")
    await world.store.database.run("UPDATE notifications SET status = 'scheduled' WHERE id = %s", (scheduled,))

    await world.resources.on_loss()

    assert (await world.next_look_in(under_way) or 99) <= 10
    assert await world.next_look_in(finished) is None
    assert (await world.next_look_in(scheduled) or 0) > 600


async def test_a_rendered_content_survives_later_writes(world: World) -> None:
    key = await world.post_routed()
    before = await world.value("content", key)

    await world.deliver_everything()

    assert before["subject"] == "Order shipped"
    assert await world.value("content", key, Channel.EMAIL) == before
