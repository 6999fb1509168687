"""Sagas read without locks, in Postgres and in memory: written as they were read, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from shared.callback_links import Subject
from shared.saga import AttemptRecorded, Looked, OnAmbiguous, Plan, Receipt, Routed, Strategy, decide
from shared.statuses import NotificationStatus, OutcomeKind
from shared.store.changes import Change
from shared.store.claims import Command
from shared.store.sagas import SagaSet
from shared.store.unlocked import ChangedMeanwhile
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, WEBSOCKET, Stage, outcome

ACCEPTED = outcome(OutcomeKind.ACCEPTED)
TO_EMAIL = Routed(plan=Plan(), wanted=(EMAIL,))
Meddle = Callable[[Stage, UUID], Awaitable[None]]


def route(change: Change, sagas: SagaSet) -> None:
    change.take(decide(change.after, TO_EMAIL, sagas.now))
    for channel in change.queued():
        change.contents[channel] = {"subject": "Hello", "text": "There."}


async def answered(stage: Stage, number: int = 1) -> tuple[UUID, UUID]:
    """Bring a notification to where its attempt is recorded and not folded; return its id and the token."""
    command = await stage.route(number)
    claim = await stage.claim(command)
    await stage.record(command, claim.token, ACCEPTED)
    assert claim.token is not None
    return command.notification_id, claim.token


async def fold(stage: Stage, pair: tuple[UUID, UUID], meddle: Meddle | None = None) -> AttemptRecorded:
    """Fold an attempt without locks; somebody may meddle between reading and writing."""
    async with stage.store.unlocked.sagas() as sagas:
        change = (await sagas.load([pair[0]], [pair]))[pair[0]]
        attempt = (await sagas.attempts([pair]))[pair]
        if meddle:
            await meddle(stage, pair[0])
        change.take(decide(change.after, attempt, sagas.now))
        await sagas.save([change])
    return attempt


async def test_what_is_routed_is_written_as_under_locks(stage: Stage) -> None:
    key, other = await stage.keep(1), await stage.keep(2)

    async with stage.store.unlocked.sagas() as sagas:
        changes = await sagas.load([key], [])
        facts = await sagas.facts([key])
        route(changes[key], sagas)
        await sagas.save(list(changes.values()))
    await stage.fold(other, TO_EMAIL)

    one, two = await stage.saga(key), await stage.saga(other)
    assert facts[key].event_type == "order_created"
    assert (one.status, one.version, one.reason, one.plan) == (two.status, two.version, two.reason, two.plan)
    assert one.deliveries == two.deliveries
    assert (await stage.claim(Command(key, 1, 0))).content["text"] == "There."
    assert await stage.next_look_in(key) == pytest.approx(30, abs=5)


async def test_an_outcome_is_folded_as_under_locks(stage: Stage) -> None:
    pair, other = await answered(stage, 1), await answered(stage, 2)

    await fold(stage, pair)
    await stage.fold_attempt(Command(other[0], 1, 0), other[1])

    one, two = await stage.saga(pair[0]), await stage.saga(other[0])
    assert (one.status, one.version, one.next_look_at) == (NotificationStatus.SENT, two.version, None)
    assert one.deliveries[0].but(token=None) == two.deliveries[0].but(token=None)
    assert await stage.attempts(pair[0]) == [("accepted", False)]


async def folded_by_somebody_else(stage: Stage, key: UUID) -> None:
    delivery = await stage.delivery(key)
    await stage.fold_attempt(Command(key, 1, 0), delivery.token)


async def reported_as_not_arrived(stage: Stage, key: UUID) -> None:
    subject = Subject(tenant=TENANT, notification_id=key, channel=EMAIL, epoch=0)
    await stage.store.receipts.keep(subject, Receipt.FAILED, "mailbox full", suppress=False)


async def looked_at_by_the_sweep(stage: Stage, key: UUID) -> None:
    await stage.store.sagas.put_off(key)


@pytest.mark.parametrize("meddle", [folded_by_somebody_else, reported_as_not_arrived, looked_at_by_the_sweep])
async def test_what_somebody_else_has_written_meanwhile_is_not_written_over(stage: Stage, meddle: Meddle) -> None:
    pair = await answered(stage)
    versions: list[int] = []

    async def and_remember(stage: Stage, key: UUID) -> None:
        await meddle(stage, key)
        versions.append((await stage.saga(key)).version)

    with pytest.raises(ChangedMeanwhile):
        await fold(stage, pair, and_remember)

    assert [(await stage.saga(pair[0])).version] == versions


async def test_an_attempt_that_is_claimed_meanwhile_keeps_its_claim(stage: Stage) -> None:
    """A lease has run out, the sweep's copy of the command is taken up, and then the first one's outcome is folded."""
    command = await stage.route()
    first = await stage.claim(command)
    await stage.record(command, first.token, outcome(OutcomeKind.TRANSIENT))
    assert first.token is not None
    taken = []

    async def retry_is_claimed(stage: Stage, key: UUID) -> None:
        await stage.fold_attempt(command, first.token)
        await stage.turn_clock(LEASE_IS_OVER_SECONDS)
        taken.append(await stage.claim(Command(key, 2, 0)))

    with pytest.raises(ChangedMeanwhile):
        await fold(stage, (command.notification_id, first.token), retry_is_claimed)

    assert (await stage.delivery(command.notification_id)).token == taken[0].token


async def test_one_saga_that_has_changed_leaves_the_whole_set_unwritten(stage: Stage) -> None:
    mine, changed = await stage.keep(1), await stage.keep(2)

    async def write() -> None:
        async with stage.store.unlocked.sagas() as sagas:
            changes = await sagas.load([mine, changed], [])
            await stage.fold(changed, TO_EMAIL)
            for change in changes.values():
                route(change, sagas)
            await sagas.save(list(changes.values()))

    with pytest.raises(ChangedMeanwhile):
        await write()

    saga = await stage.saga(mine)
    document = await stage.store.views.notification(TENANT, mine)
    assert (saga.status, saga.version, saga.deliveries) == (NotificationStatus.PENDING, 0, ())
    assert document is not None
    assert [line["what"] for line in document["timeline"]] == ["accepted"]


async def test_two_who_fold_one_saga_at_once_write_it_once(stage: Stage) -> None:
    pair = await answered(stage)
    both_have_read = asyncio.Barrier(2)

    async def wait(stage: Stage, key: UUID) -> None:
        await both_have_read.wait()

    ends = await asyncio.gather(fold(stage, pair, wait), fold(stage, pair, wait), return_exceptions=True)

    assert sorted(type(end).__name__ for end in ends) == ["AttemptRecorded", "ChangedMeanwhile"]
    assert (await stage.saga(pair[0])).version == 2


async def test_what_was_routed_before_is_left_to_who_locks(stage: Stage) -> None:
    command = await stage.route()

    async with stage.store.unlocked.sagas() as sagas:
        with pytest.raises(ChangedMeanwhile):
            await sagas.load([command.notification_id], [])


async def test_a_token_that_nobody_was_given_is_left_to_who_locks(stage: Stage) -> None:
    key, _ = await answered(stage)

    async with stage.store.unlocked.sagas() as sagas:
        with pytest.raises(ChangedMeanwhile):
            await sagas.load([key], [(key, uuid4())])


async def test_what_was_reported_before_is_left_to_who_locks(stage: Stage) -> None:
    pair = await answered(stage)
    await reported_as_not_arrived(stage, pair[0])

    async with stage.store.unlocked.sagas() as sagas:
        with pytest.raises(ChangedMeanwhile):
            await sagas.load([pair[0]], [pair])


async def test_a_saga_whose_other_channel_may_move_meanwhile_is_left_to_who_locks(stage: Stage) -> None:
    command = await stage.route(1, EMAIL, WEBSOCKET, strategy=Strategy.ALL)
    claim = await stage.claim(command)
    await stage.record(command, claim.token, ACCEPTED)
    assert claim.token is not None

    with pytest.raises(ChangedMeanwhile):
        await fold(stage, (command.notification_id, claim.token))

    assert (await stage.saga(command.notification_id)).version == 1


async def test_an_end_that_leaves_a_dead_letter_is_left_to_who_locks(stage: Stage) -> None:
    command = await stage.route(1, EMAIL, on_ambiguous=OnAmbiguous.HOLD)
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.AMBIGUOUS))
    assert claim.token is not None

    with pytest.raises(ChangedMeanwhile):
        await fold(stage, (command.notification_id, claim.token))

    assert (await stage.saga(command.notification_id)).status is NotificationStatus.QUEUED
    assert await stage.store.dead_letters.listing(TENANT) == []


async def test_nothing_is_locked_or_looked_at_this_way(stage: Stage) -> None:
    key = await stage.keep()

    async with stage.store.unlocked.sagas() as sagas:
        change = (await sagas.load([key], []))[key]
        change.take(decide(change.after, Looked(), sagas.now))
        for refused in (
            sagas.lock([key]),
            sagas.lock_due(1),
            sagas.receipts([key]),
            sagas.bury("unknown", "orchestrate", [change.after]),
            sagas.retract([key]),
            sagas.join([]),
            sagas.save([change], looked=True),
        ):
            with pytest.raises(ChangedMeanwhile):
                await refused
