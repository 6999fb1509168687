"""What needs a person, in Postgres and in memory: kept once, started over once."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID, uuid4

from shared.saga import Compensated, Plan, Routed
from shared.statuses import NotificationStatus
from tests.contract.stage import TENANT, Stage

GARBAGE = b"\xff\x00 no event"


async def failed(stage: Stage, number: int = 1) -> tuple[UUID, UUID]:
    """Let a notification fail; return it and its dead letter."""
    key = await stage.keep(number)
    saga = await stage.fold(key, Routed(plan=Plan(), wanted=()))
    async with stage.store.sagas.transaction() as sagas:
        await sagas.bury("notification", "compensate", [saga])
    await stage.fold(key, Compensated())
    letters = await stage.store.dead_letters.listing(TENANT)
    return key, UUID(next(letter["id"] for letter in letters if letter["notification_id"] == str(key)))


async def test_bytes_that_no_step_can_read_are_kept_as_they_came_and_once(stage: Stage) -> None:
    letters = stage.store.dead_letters

    kept = await asyncio.gather(*[letters.keep_bytes("garbage", "orchestrate", "no JSON", GARBAGE) for _ in range(5)])

    (letter,) = await letters.listing(TENANT)
    assert {one.id for one in kept} == {UUID(letter["id"])}
    assert [one.is_new for one in kept].count(True) == 1
    assert base64.b64decode(letter["body_base64"]) == GARBAGE
    assert (letter["kind"], letter["step"], letter["reason"]) == ("garbage", "orchestrate", "no JSON")
    assert await letters.replay(TENANT, kept[0].id, by="somebody") is None


async def test_what_failed_is_a_dead_letter_with_the_reason(stage: Stage) -> None:
    key, letter = await failed(stage)

    document = await stage.store.dead_letters.get(TENANT, letter)

    assert document is not None
    assert (document["kind"], document["epoch"], document["notification_id"]) == ("notification", 0, str(key))
    assert document["reason"] == "the workflow names no channel"
    assert document["body_base64"] is None


async def test_the_newest_come_first_up_to_a_limit(stage: Stage) -> None:
    first, second = [(await failed(stage, number))[1] for number in range(2)]

    ids = [UUID(letter["id"]) for letter in await stage.store.dead_letters.listing(TENANT)]
    newest = [UUID(letter["id"]) for letter in await stage.store.dead_letters.listing(TENANT, limit=1)]

    assert (ids, newest) == ([second, first], [second])


async def test_ten_clicks_at_once_start_it_over_once(stage: Stage) -> None:
    key, letter = await failed(stage)

    clicks = await asyncio.gather(*[stage.store.dead_letters.replay(TENANT, letter, by="somebody") for _ in range(10)])

    started = [saga for saga in clicks if saga is not None]
    assert [(saga.epoch, saga.status) for saga in started] == [(1, NotificationStatus.PENDING)]
    assert (await stage.saga(key)).epoch == 1
    assert await stage.next_look_in(key) is not None
    assert [row["id"] for row in await stage.store.dead_letters.listing(TENANT, status="replayed")] == [str(letter)]


async def test_another_tenant_neither_sees_nor_replays_it(stage: Stage) -> None:
    _, letter = await failed(stage)

    assert await stage.store.dead_letters.get("other", letter) is None
    assert await stage.store.dead_letters.listing("other") == []
    assert await stage.store.dead_letters.replay("other", letter, by="somebody") is None
    assert await stage.store.dead_letters.replay(TENANT, uuid4(), by="somebody") is None


async def test_a_failure_of_a_step_is_counted_for_each_step_and_event(stage: Stage) -> None:
    asked = [("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"), ("a", "1")]

    counts = [await stage.store.dead_letters.count_failure(step, event) for step, event in asked]

    assert counts == [1, 2, 1, 1, 3]
