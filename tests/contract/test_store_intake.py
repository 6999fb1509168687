"""What is accepted is kept once, in Postgres and in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from shared.saga import Looked, Plan, Routed
from shared.statuses import Channel, PushService
from shared.store.claims import Command
from shared.store.intake import Kept
from shared.store.recipients import Recipient
from tests.contract.stage import ADDRESS, EMAIL, TENANT, USER, Stage, order


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


async def test_what_is_due_later_is_scheduled_and_its_life_begins_then(stage: Stage) -> None:
    due = datetime.now(UTC) + timedelta(days=30)
    later, long, past = (
        order(1, send_at=due),
        order(2, send_at=due, expires_at=due + timedelta(days=30)),
        order(3, send_at=datetime.now(UTC) - timedelta(hours=1)),
    )

    kept = await stage.store.intake.keep([later, long, past])
    again = await stage.store.intake.keep([later])

    assert [status for _, status in kept] == ["scheduled", "scheduled", "pending"]
    assert again == [(Kept.KNOWN, "scheduled")]
    saga = await stage.saga(later.id)
    assert (saga.send_at, saga.next_look_at) == (due, due)
    assert saga.expires_at == due + timedelta(hours=24)
    assert (await stage.saga(long.id)).expires_at == due + timedelta(days=7)
    assert (await stage.saga(past.id)).expires_at < datetime.now(UTC) + timedelta(hours=25)


@pytest.mark.parametrize(("priority", "seconds"), [("high", 10), ("low", 60)])
async def test_by_its_priority_it_is_looked_at_sooner_or_later(stage: Stage, priority: str, seconds: int) -> None:
    key = await stage.keep(wishes={"priority": priority})

    assert seconds - 1 < (await stage.next_look_in(key) or 0) <= seconds


@pytest.mark.parametrize(
    ("channel", "address", "service"),
    [
        (Channel.EMAIL, "a@example.test", None),
        (Channel.SMS, "+15551234567", None),
        (Channel.WHATSAPP, "+15551234567", None),
        (Channel.TELEGRAM, "4711", None),
        (Channel.PUSH, "a-token", PushService.FCM),
    ],
)
async def test_for_an_address_without_an_account_a_user_is_made_once(
    stage: Stage, channel: Channel, address: str, service: PushService | None
) -> None:
    recipient = Recipient(channel=channel, address=address, service=service)
    rows = [order(number, user="made", recipient=recipient) for number in (1, 2)]

    await stage.store.intake.keep(rows)
    await stage.store.intake.keep([order(3, user="made", recipient=recipient), order(4)])

    async with stage.store.sagas.transaction() as sagas:
        facts = await sagas.facts([rows[0].id])
    reached = {channel, Channel.WEBSOCKET} | ({Channel.SMS, Channel.WHATSAPP} if address[0] == "+" else set())
    assert set(Channel) - set(facts[rows[0].id].obstacles) == reached
    assert await stage.store.views.counts(TENANT) == {"pending": 4}


async def test_a_user_who_is_there_is_not_made_anew(stage: Stage) -> None:
    recipient = Recipient(channel=EMAIL, address="another@example.test")

    await stage.store.intake.keep([order(1, recipient=recipient)])

    user = await stage.store.directory.user(TENANT, USER)
    assert user is not None
    assert user.email == ADDRESS


async def test_the_expiry_of_the_workflow_is_kept_with_the_route(stage: Stage) -> None:
    key = await stage.keep()

    await stage.fold(key, Routed(plan=Plan(), wanted=(EMAIL,), expires_after_seconds=600))

    saga = await stage.saga(key)
    assert saga.expires_at - saga.created_at == timedelta(seconds=600)


async def test_the_age_of_what_was_posted_for_later_counts_from_when_it_was_due(stage: Stage) -> None:
    key = await stage.keep(send_at=datetime.now(UTC) + timedelta(hours=1))
    await stage.turn_clock(3_605)
    await stage.fold(key, Looked())
    await stage.fold(key, Routed(plan=Plan(), wanted=(EMAIL,)))

    claim = await stage.claim(Command(key, 1, 0))

    assert 4 < claim.accepted_seconds_ago < 60
