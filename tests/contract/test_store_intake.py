"""What is accepted is kept once, in Postgres and in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from shared.saga import Plan, Routed
from shared.store.intake import Kept
from tests.contract.stage import EMAIL, TENANT, Stage, order


async def test_a_set_of_new_events_is_kept_and_waits_to_be_routed(stage: Stage) -> None:
    kept = await stage.store.intake.keep([order(number) for number in range(3)])

    assert kept == [(Kept.NEW, "pending")] * 3
    assert await stage.store.views.counts(TENANT) == {"pending": 3}


async def test_answers_come_in_the_order_of_the_questions_and_a_copy_is_known(stage: Stage) -> None:
    await stage.store.intake.keep([order(2)])

    kept = await stage.store.intake.keep([order(3), order(2), order(1), order(1)])

    assert [word for word, _ in kept] == [Kept.NEW, Kept.KNOWN, Kept.NEW, Kept.KNOWN]


async def test_a_copy_tells_how_far_the_first_has_come(stage: Stage) -> None:
    await stage.route(1)

    assert await stage.store.intake.keep([order(1)]) == [(Kept.KNOWN, "queued")]


async def test_the_same_key_with_another_body_is_a_conflict(stage: Stage) -> None:
    kept = await stage.store.intake.keep([order(1, b"first"), order(1, b"second"), order(1, b"first")])
    later = await stage.store.intake.keep([order(1, b"second"), order(2)])

    assert [word for word, _ in kept] == [Kept.NEW, Kept.CONFLICT, Kept.KNOWN]
    assert [word for word, _ in later] == [Kept.CONFLICT, Kept.NEW]


async def test_many_copies_at_once_make_one_notification(stage: Stage) -> None:
    answers = await asyncio.gather(*[stage.store.intake.keep([order(1)]) for _ in range(20)])

    assert Counter(word for answer in answers for word, _ in answer) == {Kept.NEW: 1, Kept.KNOWN: 19}


async def test_a_copy_does_not_wait_for_whoever_works_on_the_first(stage: Stage) -> None:
    key = await stage.keep(1)

    async with stage.store.sagas.transaction() as sagas, asyncio.timeout(5):
        await sagas.lock([key])
        kept = await stage.store.intake.keep([order(1)])

    assert kept == [(Kept.KNOWN, "pending")]


async def test_what_was_kept_is_looked_at_after_half_a_minute_and_ends_within_a_day(stage: Stage) -> None:
    key = await stage.keep()

    saga = await stage.saga(key)
    assert 29 < (await stage.next_look_in(key) or 0) <= 30
    assert abs(saga.expires_at - saga.created_at - timedelta(hours=24)) < timedelta(seconds=1)


@pytest.mark.parametrize(("asked", "kept"), [(timedelta(hours=2), timedelta(hours=2)), (timedelta(8), timedelta(7))])
async def test_an_event_has_its_own_expiry_and_nothing_lives_beyond_a_week(
    stage: Stage, asked: timedelta, kept: timedelta
) -> None:
    mine = await stage.keep(1, expires_at=datetime.now(UTC) + asked)
    other = await stage.keep(2)

    saga = await stage.saga(mine)
    async with stage.store.sagas.transaction() as sagas:
        facts = await sagas.facts([mine, other])
    assert abs(saga.expires_at - saga.created_at - kept) < timedelta(seconds=1)
    assert (facts[mine].has_own_expiry, facts[other].has_own_expiry) == (True, False)


async def test_the_expiry_of_the_workflow_is_kept_with_the_route(stage: Stage) -> None:
    key = await stage.keep()

    await stage.fold(key, Routed(plan=Plan(), wanted=(EMAIL,), expires_after_seconds=600))

    saga = await stage.saga(key)
    assert saga.expires_at - saga.created_at == timedelta(seconds=600)
