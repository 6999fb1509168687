"""One event for many users is expanded a set at a time, in Postgres and in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

from shared.ids import fan_out_id, notification_id
from shared.store.fan_outs import USERS_AT_ONCE, Expanded, NewFanOut
from shared.store.intake import Kept, NewNotification
from tests.contract.stage import TENANT, Stage, order

KEY = fan_out_id(TENANT, "shop", "sale")
MANY = tuple(f"user-{number}" for number in range(2 * USERS_AT_ONCE + 1))


def sale(*users: str, body: bytes = b"body", tenant: str = TENANT, rival: UUID | None = None) -> NewFanOut:
    return NewFanOut(
        id=KEY,
        tenant=tenant,
        event_type="sale",
        body_hash=body,
        event="the event",
        user_ids=users or MANY,
        rival=rival,
    )


def make_rows(event: str, users: tuple[str, ...]) -> list[NewNotification]:
    assert event == "the event"
    return [order(1, user=user) for user in users]


async def expand(stage: Stage, position: int) -> Expanded | None:
    return await stage.store.fan_outs.expand(KEY, position, make_rows)


async def progress(stage: Stage) -> tuple[str, int, int]:
    document = await stage.store.fan_outs.document(TENANT, KEY)
    assert document is not None
    return document["status"], document["expanded"], document["conflicting"]


async def test_it_is_kept_once_and_told_how_far_it_is(stage: Stage) -> None:
    first = await stage.store.fan_outs.keep(sale())
    await expand(stage, 0)

    assert first == (Kept.NEW, 0)
    assert await stage.store.fan_outs.keep(sale()) == (Kept.KNOWN, USERS_AT_ONCE)
    assert await stage.store.fan_outs.keep(sale(body=b"other")) == (Kept.CONFLICT, 0)
    assert await stage.store.fan_outs.keep(sale(tenant="other")) == (Kept.CONFLICT, 0)
    assert await progress(stage) == ("expanding", USERS_AT_ONCE, 0)
    assert await stage.store.fan_outs.document("other", KEY) is None


async def test_a_key_that_a_notification_has_used_is_a_conflict(stage: Stage) -> None:
    used = await stage.keep(7)

    assert await stage.store.fan_outs.keep(sale(rival=used)) == (Kept.CONFLICT, 0)
    assert await stage.store.fan_outs.document(TENANT, KEY) is None


async def test_each_set_is_bounded_and_names_the_next_until_the_end(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale())

    sizes, position = [], 0
    while True:
        found = await expand(stage, position)
        assert found is not None
        sizes.append(len(found.ids))
        if found.next_position is None:
            break
        position = found.next_position

    assert sizes == [USERS_AT_ONCE, USERS_AT_ONCE, 1]
    assert await stage.store.views.counts(TENANT) == {"pending": len(MANY)}
    assert await progress(stage) == ("expanded", len(MANY), 0)


async def test_a_copy_of_a_request_finds_what_was_made_and_makes_nothing(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale())
    first = await expand(stage, 0)

    again = await expand(stage, 0)
    await expand(stage, USERS_AT_ONCE)
    old = await expand(stage, 0)

    assert first is not None
    assert again == replace(first, new=0)
    assert old is not None
    assert (old.next_position, len(old.ids)) == (None, USERS_AT_ONCE)
    assert await progress(stage) == ("expanding", 2 * USERS_AT_ONCE, 0)


async def test_two_at_once_make_one_set(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2", "3"))

    one, other = await asyncio.gather(expand(stage, 0), expand(stage, 0))

    assert one is not None
    assert other is not None
    assert (one.ids, {one.new, other.new}) == (other.ids, {0, 3})
    assert await stage.store.views.counts(TENANT) == {"pending": 3}
    assert await progress(stage) == ("expanded", 3, 0)


async def test_what_nobody_asked_for_makes_nothing(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2"))

    assert await expand(stage, 1) is None
    assert await expand(stage, 2) is None
    assert await stage.store.fan_outs.expand(UUID(int=1), 0, make_rows) is None
    assert await progress(stage) == ("expanding", 0, 0)


async def test_a_set_that_fails_leaves_no_trace(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2"))

    def fail(event: str, users: tuple[str, ...]) -> list[NewNotification]:
        raise LookupError

    failures = await asyncio.gather(stage.store.fan_outs.expand(KEY, 0, fail), return_exceptions=True)

    assert isinstance(failures[0], LookupError)
    assert await progress(stage) == ("expanding", 0, 0)
    assert await expand(stage, 0) is not None


async def test_who_has_the_event_with_another_body_keeps_it_and_is_counted(stage: Stage) -> None:
    await stage.store.intake.keep([order(1, b"another", user="1"), order(1, user="2")])
    await stage.store.fan_outs.keep(sale("1", "2", "3"))

    await expand(stage, 0)

    assert await progress(stage) == ("expanded", 3, 1)
    assert await stage.store.intake.keep([order(1, b"another", user="1")]) == [(Kept.KNOWN, "pending")]


async def test_what_nobody_goes_on_with_is_due_ever_more_rarely_until_it_is_expanded(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2"))

    at_once = await stage.store.fan_outs.due(10)
    await stage.turn_clock(31)
    first = await stage.store.fan_outs.due(10)
    await stage.turn_clock(31)
    second = await stage.store.fan_outs.due(10)
    await stage.turn_clock(31)
    third = await stage.store.fan_outs.due(10)
    await expand(stage, 0)
    await stage.turn_clock(3_600)

    assert ([at_once, third], await stage.store.fan_outs.due(10)) == ([[], []], [])
    assert [(one.id, one.tenant, one.position) for one in [*first, *second]] == [(KEY, TENANT, 0)] * 2


async def test_when_the_broker_has_lost_what_it_held_it_is_due_within_ten_seconds(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2"))

    hastened = [await stage.store.fan_outs.hasten() for _ in range(2)]
    await stage.turn_clock(11)

    assert hastened == [1, 0]
    assert [one.id for one in await stage.store.fan_outs.due(10)] == [KEY]


async def test_the_users_of_an_event_are_part_of_what_waits(stage: Stage) -> None:
    await stage.store.fan_outs.keep(sale("1", "2", "3"))
    before = await stage.store.gauges.count_backlog(100)
    await expand(stage, 0)

    assert (before, await stage.store.gauges.count_backlog(100)) == (3, 3)


def test_the_notification_of_a_user_has_the_id_that_the_event_alone_would_give_it() -> None:
    assert order(1, user="7").id == notification_id(TENANT, "shop", "1", "7")
