"""A person's inbox: nothing is missed, nothing is there twice."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID, uuid4

from shared.ids import notification_id
from shared.store import Store
from shared.store.inbox import NewItem, retract
from tests.world import TENANT, World, until_somebody_waits_for_a_lock


def letter(key: UUID, *, user: str = "1", epoch: int = 0, message: str = "hello") -> NewItem:
    content = {"event_type": "order_shipped", "subject": "Order shipped", "message": message}
    return NewItem(tenant=TENANT, user_id=user, notification_id=key, epoch=epoch, content=content)


async def cursors(store: Store, user: str = "1") -> list[int]:
    return [item.cursor for item in await store.inbox.since(TENANT, user, 0, 1000)]


async def test_cursors_count_from_one_for_each_person(store: Store) -> None:
    await store.inbox.put([letter(uuid4(), user=user) for user in ("1", "2", "1", "2", "1")])

    assert await cursors(store, "1") == [1, 2, 3]
    assert await cursors(store, "2") == [1, 2]
    assert await store.inbox.last(TENANT, "1") == 3
    assert await store.inbox.last(TENANT, "nobody") == 0


async def test_what_is_read_after_a_cursor_begins_right_behind_it(store: Store) -> None:
    await store.inbox.put([letter(uuid4()) for _ in range(5)])

    page = await store.inbox.since(TENANT, "1", 2, 2)

    assert [item.cursor for item in page] == [3, 4]


async def test_the_same_message_put_again_is_there_once(store: Store) -> None:
    one, two = uuid4(), uuid4()
    await store.inbox.put([letter(one, message="first"), letter(one)])

    await store.inbox.put([letter(two), letter(one, message="second")])

    items = await store.inbox.since(TENANT, "1", 0)
    assert [(item.cursor, item.notification_id) for item in items] == [(1, one), (2, two)]
    assert items[0].content["message"] == "first"


async def test_a_replay_is_a_new_message(store: Store) -> None:
    key = uuid4()

    await store.inbox.put([letter(key), letter(key, epoch=1)])

    assert await cursors(store) == [1, 2]


async def test_the_same_message_put_by_many_at_once_is_there_once(store: Store) -> None:
    key = uuid4()
    await store.inbox.put([letter(uuid4())])

    async with store.database.transaction() as slow:  # none of them sees the message of another when it begins
        await slow.execute("SELECT FROM inbox_cursors FOR UPDATE")
        puts = [asyncio.create_task(store.inbox.put([letter(key), letter(uuid4())])) for _ in range(5)]
        await until_somebody_waits_for_a_lock(store, how_many=5)
    await asyncio.gather(*puts)

    items = await store.inbox.since(TENANT, "1", 0)
    assert len(items) == 7
    assert [item.notification_id for item in items].count(key) == 1


async def test_a_reader_that_resumes_from_its_last_cursor_never_misses_a_message(
    store: Store, database_url: str
) -> None:
    other = Store(database_url)
    await other.open()
    keys = [notification_id(TENANT, "test", str(number), "1") for number in range(240)]
    random.Random(7).shuffle(keys)
    seen: list[UUID] = []

    async def write(which: Store, mine: list[UUID]) -> None:
        for start in range(0, len(mine), 3):
            await which.inbox.put([letter(key) for key in mine[start : start + 3]])

    async def read() -> None:
        cursor = 0
        while True:
            is_over = all(writer.done() for writer in writers)
            page = await other.inbox.since(TENANT, "1", cursor, 7)
            seen.extend(item.notification_id for item in page)
            cursor = page[-1].cursor if page else cursor
            if is_over and not page:
                return

    writers = [asyncio.create_task(write((store, other)[n % 2], keys[n::8])) for n in range(8)]
    async with asyncio.timeout(60):
        await asyncio.gather(read(), *writers)
    await other.close()

    assert sorted(seen) == sorted(keys)


async def test_a_message_is_never_visible_before_one_with_a_lower_cursor(store: Store) -> None:
    await store.inbox.put([letter(uuid4())])
    hurried = letter(uuid4())
    async with store.database.transaction() as slow:
        # What a slow writer does first: it takes its number, and commits when it commits.
        await slow.execute("UPDATE inbox_cursors SET last = last + 1")
        put = asyncio.create_task(store.inbox.put([hurried]))
        await until_somebody_waits_for_a_lock(store)

        visible_meanwhile = await cursors(store)
    await put

    assert visible_meanwhile == [1]
    assert await cursors(store) == [1, 3]


async def test_sets_for_the_same_people_in_opposite_orders_never_deadlock(store: Store) -> None:
    people = [str(number) for number in range(40)]

    sets = [[letter(uuid4(), user=user) for user in people[:: 1 if turn % 2 else -1]] for turn in range(10)]
    await asyncio.gather(*[store.inbox.put(items) for items in sets])

    assert [await cursors(store, user) for user in people] == [list(range(1, 11))] * 40


async def test_an_acknowledgement_counts_once(world: World) -> None:
    key = await world.post_routed()
    await world.store.inbox.put([letter(key)])

    first = await world.store.inbox.acknowledge(TENANT, "1", [key])
    again = await world.store.inbox.acknowledge(TENANT, "1", [key])

    assert (first, again) == ([(key, 0)], [])
    assert (await world.store.inbox.since(TENANT, "1", 0))[0].acknowledged_at is not None


async def test_ten_acknowledgements_at_once_count_once(world: World) -> None:
    key = await world.post_routed()
    await world.store.inbox.put([letter(key)])

    noted = await asyncio.gather(*[world.store.inbox.acknowledge(TENANT, "1", [key]) for _ in range(10)])

    assert sorted(len(each) for each in noted) == [0] * 9 + [1]


async def test_nobody_acknowledges_for_another_person_or_tenant(world: World) -> None:
    key = await world.post_routed()
    await world.store.inbox.put([letter(key)])

    by_another_user = await world.store.inbox.acknowledge(TENANT, "2", [key])
    by_another_tenant = await world.store.inbox.acknowledge("other", "1", [key])
    of_nothing = await world.store.inbox.acknowledge(TENANT, "1", [uuid4()])

    assert (by_another_user, by_another_tenant, of_nothing) == ([], [], [])


async def test_what_is_taken_back_is_no_longer_read_and_is_taken_back_once(store: Store) -> None:
    gone, kept = uuid4(), uuid4()
    await store.inbox.put([letter(gone), letter(kept)])

    async with store.database.transaction() as connection:
        first = await retract(connection, [gone, uuid4()])
        again = await retract(connection, [gone])

    assert (first, again) == ({gone}, set())
    assert [item.notification_id for item in await store.inbox.since(TENANT, "1", 0)] == [kept]
