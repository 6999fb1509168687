"""A person's inbox, in Postgres and in memory; and the receipts that come of it."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from shared.saga import Receipt
from shared.store.inbox import NewItem
from tests.contract.stage import TENANT, USER, WEBSOCKET, Stage


def item(key: UUID, *, user: str = USER, epoch: int = 0, message: str = "hello") -> NewItem:
    return NewItem(tenant=TENANT, user_id=user, notification_id=key, epoch=epoch, content={"message": message})


async def cursors(stage: Stage, user: str = USER) -> list[int]:
    return [found.cursor for found in await stage.store.inbox.since(TENANT, user, 0)]


async def test_cursors_count_from_one_for_each_person(stage: Stage) -> None:
    await stage.store.inbox.put([item(uuid4(), user=user) for user in ("1", "2", "1", "2", "1")])

    assert (await cursors(stage, "1"), await cursors(stage, "2")) == ([1, 2, 3], [1, 2])
    assert (await stage.store.inbox.last(TENANT, "1"), await stage.store.inbox.last(TENANT, "nobody")) == (3, 0)
    assert [found.cursor for found in await stage.store.inbox.since(TENANT, "1", 1, 1)] == [2]


async def test_the_same_message_put_again_is_there_once_and_a_replay_is_another(stage: Stage) -> None:
    key = uuid4()
    await stage.store.inbox.put([item(key, message="first"), item(key)])

    await asyncio.gather(*[stage.store.inbox.put([item(key, message="later"), item(key, epoch=1)]) for _ in range(5)])

    found = await stage.store.inbox.since(TENANT, USER, 0)
    assert [(each.epoch, each.content["message"]) for each in found] == [(0, "first"), (1, "hello")]


async def test_an_acknowledgement_counts_once_and_brings_the_sweep(stage: Stage) -> None:
    key = (await stage.route(1, WEBSOCKET)).notification_id
    await stage.store.inbox.put([item(key)])

    answers = await asyncio.gather(*[stage.store.inbox.acknowledge(TENANT, USER, [key]) for _ in range(5)])

    assert sorted(answers) == [[], [], [], [], [(key, 0)]]
    assert 14 < (await stage.next_look_in(key) or 0) <= 15
    async with stage.store.sagas.transaction() as sagas:
        receipts = await sagas.receipts([key, uuid4()])
    assert [(said.channel, said.epoch, said.receipt) for said in receipts[key]] == [(WEBSOCKET, 0, Receipt.DELIVERED)]
    assert list(receipts) == [key]


async def test_the_time_of_the_first_acknowledgement_stays(stage: Stage) -> None:
    key = await stage.keep()
    await stage.store.inbox.put([item(key)])
    seen = []

    for _ in range(2):
        await stage.store.inbox.acknowledge(TENANT, USER, [key])
        seen += [found.acknowledged_at for found in await stage.store.inbox.since(TENANT, USER, 0)]

    assert seen[0] is not None
    assert seen[0] == seen[1]


async def test_nobody_acknowledges_for_another_person_or_tenant(stage: Stage) -> None:
    key = await stage.keep()
    await stage.store.inbox.put([item(key)])

    assert await stage.store.inbox.acknowledge(TENANT, "2", [key]) == []
    assert await stage.store.inbox.acknowledge("other", USER, [key]) == []
    assert await stage.store.inbox.acknowledge(TENANT, USER, [uuid4()]) == []


async def test_what_is_taken_back_is_no_longer_read_and_is_taken_back_once(stage: Stage) -> None:
    gone, kept = uuid4(), uuid4()
    await stage.store.inbox.put([item(gone), item(kept)])

    async with stage.store.sagas.transaction() as sagas:
        first, again = await sagas.retract([gone, uuid4()]), await sagas.retract([gone])

    assert (first, again) == ({gone}, set())
    assert [found.notification_id for found in await stage.store.inbox.since(TENANT, USER, 0)] == [kept]
