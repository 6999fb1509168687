"""Digests, in Postgres and in memory: who joins which window, who is in it, and when it must be looked at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from shared.saga import Closed, Collected, Followed, Gathered, Looked, Plan, Routed
from shared.statuses import NotificationStatus
from shared.store.digests import DueDigest, Joining, Phase, Window
from tests.contract.stage import EMAIL, TENANT, USER, Stage

KEY, OTHER = UUID(int=1), UUID(int=2)
BEFORE_ALL = UUID(int=0)
N = NotificationStatus
HOUR = 3600.0


async def collect(stage: Stage, *numbers: int, key: UUID = KEY, **more: object) -> dict[UUID, Window]:
    """Keep notifications and collect them in one transaction, as orchestrate does."""
    kept = [await stage.keep(number, **more) for number in numbers]
    async with stage.store.sagas.transaction() as sagas:
        changes = await sagas.lock(kept)
        closes_at = sagas.now + timedelta(seconds=HOUR)
        asked = [
            Joining(
                notification_id=one,
                tenant=TENANT,
                user_id=USER,
                event_type="order_created",
                key=key,
                closes_at=closes_at,
            )
            for one in kept
        ]
        windows = await sagas.join(asked)
    for one, window in windows.items():
        own = "expires_at" in more
        await stage.fold(one, Collected(digest_id=window.digest_id, kept_until=window.kept_until, has_own_expiry=own))
    return {one: windows[one] for one in changes}


async def digest(stage: Stage, *numbers: int, key: UUID = KEY) -> tuple[UUID, list[UUID]]:
    """Collect notifications; return their digest and them."""
    windows = await collect(stage, *numbers, key=key)
    (found,) = {window.digest_id for window in windows.values()}
    return found, list(windows)


async def members(stage: Stage, *digests: UUID, after: UUID = BEFORE_ALL, limit: int = 10) -> list[UUID]:
    async with stage.store.sagas.transaction() as sagas:
        return await sagas.members([N.SCHEDULED], after, limit, digests)


async def due(stage: Stage, limit: int = 10) -> list[DueDigest]:
    return await stage.store.digests.due(limit)


async def close(stage: Stage) -> DueDigest:
    await stage.turn_clock(HOUR + 1)
    (found,) = await due(stage)
    return found


async def test_the_first_opens_a_window_with_a_notification_to_carry_it(stage: Stage) -> None:
    found, _ = await digest(stage, 1)

    saga = await stage.saga(found)

    assert (saga.status, saga.is_digest, saga.digest_id) == (N.SCHEDULED, True, None)
    assert saga.send_at is not None
    assert saga.expires_at == saga.send_at + timedelta(hours=24)
    assert saga.next_look_at is None


async def test_a_set_joins_one_window_and_the_next_set_joins_it_too(stage: Stage) -> None:
    one, first = await digest(stage, 1, 2)
    other, second = await digest(stage, 3)

    assert one == other
    assert await members(stage, one) == sorted([*first, *second])


async def test_another_key_has_another_window(stage: Stage) -> None:
    one, _ = await digest(stage, 1)
    other, _ = await digest(stage, 2, key=OTHER)

    assert one != other


async def test_many_who_come_first_at_once_open_one_window(stage: Stage) -> None:
    found = await asyncio.gather(*[digest(stage, number) for number in range(6)])

    assert len({key for key, _ in found}) == 1


async def test_a_window_is_due_when_it_closes_and_whoever_comes_then_opens_the_next(stage: Stage) -> None:
    first, _ = await digest(stage, 1)
    early = await due(stage)

    closed = await close(stage)
    second, _ = await digest(stage, 2)

    assert early == []
    assert (closed.id, closed.phase, closed.joined) == (first, Phase.GATHERING, 1)
    assert second != first


async def test_who_joins_while_it_closes_is_in_it_or_in_the_next(stage: Stage) -> None:
    first, kept = await digest(stage, 1)
    late = await stage.keep(2)
    await stage.turn_clock(HOUR + 1)

    async with stage.store.sagas.transaction() as sagas:
        await sagas.lock([late])
        joining = Joining(
            notification_id=late,
            tenant=TENANT,
            user_id=USER,
            event_type="order_created",
            key=KEY,
            closes_at=sagas.now + timedelta(seconds=HOUR),
        )
        windows = await sagas.join([joining])
        while_it_is_joined = await due(stage)
    closed = await due(stage)

    assert windows[late].digest_id == first
    assert while_it_is_joined == []
    assert [one.joined for one in closed] == [2]
    assert await members(stage, first) == kept


async def test_a_look_is_due_again_until_it_is_settled(stage: Stage) -> None:
    await digest(stage, 1)
    looked = await close(stage)

    at_once = await due(stage)
    await stage.turn_clock(31)
    (again,) = await due(stage)
    await stage.store.digests.settle([looked], is_done=True)
    await stage.turn_clock(31)
    (stale,) = await due(stage)
    await stage.store.digests.settle([stale], is_done=True)
    await stage.turn_clock(31)

    assert (at_once, again.phase) == ([], Phase.GATHERING)
    assert await due(stage) == []


async def test_what_is_not_done_is_due_at_once(stage: Stage) -> None:
    await digest(stage, 1)
    looked = await close(stage)

    await stage.store.digests.settle([looked], is_done=False)

    assert [one.id for one in await due(stage)] == [looked.id]


async def test_a_digest_that_ends_is_due_even_if_somebody_is_still_at_it(stage: Stage) -> None:
    found, _ = await digest(stage, 1)
    looked = await close(stage)

    await stage.fold(found, Closed(1))
    await stage.fold(found, Routed(plan=Plan(), wanted=(EMAIL,)))
    on_its_way = await due(stage)
    await stage.turn_clock(3 * 86_400)
    await due(stage)
    await stage.fold(found, Looked())
    await stage.store.digests.settle([looked], is_done=True)

    (told,) = await due(stage)
    assert on_its_way == []
    assert (await stage.saga(found)).status is N.EXPIRED
    assert (told.id, told.phase) == (found, Phase.CLOSED)


async def test_a_window_whose_digest_has_ended_is_joined_by_nobody(stage: Stage) -> None:
    found, _ = await digest(stage, 1)
    await stage.turn_clock(3 * 86_400)

    await stage.fold(found, Looked())
    other, _ = await digest(stage, 2)

    assert other != found


async def test_members_are_listed_in_the_order_of_their_ids_and_only_those_that_stand_there(stage: Stage) -> None:
    found, kept = await digest(stage, *range(5))
    first, second, *_ = sorted(kept)
    await close(stage)
    await stage.fold(second, Gathered())

    assert await members(stage, found, limit=2) == [first, sorted(kept)[2]]
    assert await members(stage, found, after=first, limit=9) == sorted(kept)[2:]


async def test_a_member_that_drops_out_is_none_any_more(stage: Stage) -> None:
    found, (key, other) = await digest(stage, 1, 2)

    await stage.fold(key, Gathered(is_superseded=True))

    saga = await stage.saga(key)
    assert (saga.status, saga.digest_id) == (N.SKIPPED, None)
    assert await members(stage, found) == [other]


async def test_a_member_ends_as_its_digest_and_changes_with_it(stage: Stage) -> None:
    _, (key,) = await digest(stage, 1)

    ends = [
        (await stage.fold(key, Gathered(), Followed(status, "so it was"))).status
        for status in (N.UNKNOWN, N.FAILED, N.SENT, N.DELIVERED, N.FAILED)
    ]

    assert ends == [N.UNKNOWN, N.FAILED, N.SENT, N.DELIVERED, N.DELIVERED]
    assert (await stage.saga(key)).reason == "with its digest: so it was"


async def test_a_newer_one_with_the_same_collapse_key_takes_the_place_of_an_older(stage: Stage) -> None:
    (old,) = await collect(stage, 1, collapse_key="cart")
    await stage.turn_clock(1)
    (new,) = await collect(stage, 2, collapse_key="cart")
    (other,) = await collect(stage, 3)

    async with stage.store.sagas.transaction() as sagas:
        found = await sagas.superseded([old, new, other])

    assert found == {old}


async def test_a_digest_counts_what_is_gathered_and_has_the_data_of_the_first_without_their_options(
    stage: Stage,
) -> None:
    found, kept = await digest(stage, 1, 2, 3)
    for key in kept[:2]:
        await stage.fold(key, Gathered())

    async with stage.store.sagas.transaction() as sagas:
        contents = await sagas.contents([found])
        await sagas.fill({found: {"count": 2}})
        facts = await sagas.facts([found])
        standings = await sagas.standings([found])

    assert contents == {found: (2, [{"message": "hello"}] * 2)}
    assert facts[found].data == {"count": 2}
    assert standings == {found: Followed(N.SCHEDULED, "")}
