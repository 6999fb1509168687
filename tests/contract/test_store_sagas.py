"""Sagas by the set, in Postgres and in memory: locked, read, written, and looked at in time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from shared.callback_links import Subject
from shared.saga import (
    AttemptRecorded,
    Compensated,
    Decision,
    Entry,
    Looked,
    OnAmbiguous,
    Plan,
    Receipt,
    Replayed,
    Routed,
    Strategy,
    What,
    Why,
    decide,
)
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, WEBSOCKET, Stage, order, outcome

NOBODY = Routed(plan=Plan(), wanted=())
REPLAY = Replayed(by="somebody", window_seconds=3600)


async def fail(stage: Stage, key: UUID) -> None:
    """Let a notification find no channel, and end."""
    await stage.fold(key, NOBODY)
    await stage.fold(key, Compensated())


class Broken(Exception):
    """Something in the middle of a transaction."""


async def test_a_written_saga_has_the_next_version_its_reason_and_a_line_in_the_timeline(stage: Stage) -> None:
    key = await stage.keep()

    await stage.fold(key, NOBODY)

    saga, document = await stage.saga(key), await stage.store.views.notification(TENANT, key)
    assert (saga.version, saga.status, saga.reason) == (1, "compensating", "the workflow names no channel")
    assert document is not None
    assert [line["what"] for line in document["timeline"]] == ["accepted", "giving_up"]


async def test_a_saga_that_did_not_change_is_not_written(stage: Stage) -> None:
    key = await stage.keep()

    await stage.fold(key, Looked())

    assert (await stage.saga(key)).version == 0


async def test_a_transaction_that_fails_leaves_nothing(stage: Stage) -> None:
    key = await stage.keep()

    async def write_and_break() -> None:
        async with stage.store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            change.take(decide(change.before, NOBODY, sagas.now))
            await sagas.save([change])
            await sagas.bury("notification", "compensate", [change.after])
            raise Broken

    with pytest.raises(Broken):
        await write_and_break()

    assert (await stage.saga(key)).status is NotificationStatus.PENDING
    assert await stage.store.dead_letters.listing(TENANT) == []


async def test_what_is_not_committed_is_seen_by_nobody_else(stage: Stage) -> None:
    key = await stage.keep()

    async with stage.store.sagas.transaction() as sagas:
        change = (await sagas.lock([key]))[key]
        change.take(decide(change.before, NOBODY, sagas.now))
        await sagas.save([change])
        meanwhile = await stage.store.views.status(TENANT, key)

    assert (meanwhile, await stage.store.views.status(TENANT, key)) == ("pending", "compensating")


async def test_many_who_fold_the_same_saga_do_so_one_after_the_other(stage: Stage) -> None:
    key = await stage.keep()

    async def give_up() -> bool:
        async with stage.store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            is_first = change.take(decide(change.before, NOBODY, sagas.now))
            await sagas.save([change])
            return is_first

    done = await asyncio.gather(*[give_up() for _ in range(6)])

    assert (sorted(done), (await stage.saga(key)).version) == ([False] * 5 + [True], 1)


async def test_sets_in_opposite_orders_do_not_wait_for_each_other_for_ever(stage: Stage) -> None:
    keys = [await stage.keep(number) for number in range(6)]

    async def lock(order_of: list[UUID]) -> int:
        async with stage.store.sagas.transaction() as sagas:
            return len(await sagas.lock(order_of))

    async with asyncio.timeout(10):
        found = await asyncio.gather(*[lock(keys[:: 1 if turn % 2 else -1]) for turn in range(6)])

    assert found == [6] * 6


async def test_an_illegal_change_of_status_is_refused_and_leaves_nothing(stage: Stage) -> None:
    key = await stage.keep()

    async def jump() -> None:
        async with stage.store.sagas.transaction() as sagas:
            change = (await sagas.lock([key]))[key]
            jumped = replace(change.before, status=NotificationStatus.DELIVERED)
            change.take(Decision(saga=jumped, entries=(Entry(what=What.DELIVERED, why="a test says so"),)))
            await sagas.save([change])

    with pytest.raises(Exception, match="pending -> delivered"):
        await jump()

    assert (await stage.saga(key)).status is NotificationStatus.PENDING


async def test_what_is_due_is_locked_oldest_first_up_to_a_limit_without_what_others_hold(stage: Stage) -> None:
    first, second, third = [await stage.keep(number) for number in range(3)]
    await stage.turn_clock(31)

    async with stage.store.sagas.transaction() as worker, stage.store.sagas.transaction() as sweep:
        await worker.lock([first])
        found = list(await sweep.lock_due(1))
        due = await stage.store.sagas.due(10)

    assert (found, due) == ([second], [first, second, third])


async def test_what_is_not_due_is_not_looked_at(stage: Stage) -> None:
    await stage.keep()

    async with stage.store.sagas.transaction() as sweep:
        assert await sweep.lock_due(10) == {}


async def look(stage: Stage) -> None:
    async with stage.store.sagas.transaction() as sagas:
        await sagas.save(list((await sagas.lock_due(10)).values()), looked=True)


async def test_a_look_that_finds_nothing_new_is_followed_by_one_after_twice_the_time(stage: Stage) -> None:
    key = await stage.keep()
    waits = []

    for _ in range(7):
        await stage.turn_clock((await stage.next_look_in(key) or 0) + 0.01)
        await look(stage)
        waits.append(round(await stage.next_look_in(key) or 0))

    assert waits == [30, 60, 120, 240, 480, 900, 900]


async def test_progress_does_not_put_off_a_look_that_comes_early_enough(stage: Stage) -> None:
    key = await stage.keep()
    before = (await stage.saga(key)).next_look_at
    await stage.turn_clock(10)

    await stage.fold(key, Routed(plan=Plan(), wanted=(EMAIL,)))

    after = await stage.saga(key)
    assert after.next_look_at == before or 19 < (await stage.next_look_in(key) or 0) <= 20


async def test_what_has_ended_is_not_looked_at_any_more(stage: Stage) -> None:
    key = await stage.keep()

    await fail(stage, key)

    assert await stage.next_look_in(key) is None


async def test_after_a_loss_everything_under_way_is_looked_at_within_ten_seconds(stage: Stage) -> None:
    under_way, ended, held = [await stage.keep(number) for number in range(3)]
    await fail(stage, ended)

    async with stage.store.sagas.transaction() as worker:
        await worker.lock([held])
        count = await stage.store.sagas.hasten()

    assert (count, await stage.next_look_in(ended)) == (1, None)
    assert (await stage.next_look_in(under_way) or 99) <= 10
    assert (await stage.next_look_in(held) or 0) > 10


async def test_what_cannot_be_looked_at_is_put_off(stage: Stage) -> None:
    key = await stage.keep()

    await stage.store.sagas.put_off(key)

    assert round(await stage.next_look_in(key) or 0) == 900


async def test_the_words_of_a_delivery_survive_later_writes(stage: Stage) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))
    await stage.fold_attempt(command, claim.token)
    await stage.turn_clock(3)

    again = await stage.claim(replace(command, attempt=2))

    assert (again.verdict, again.content["subject"]) == ("claimed", "Hello")


async def test_the_plan_is_read_as_it_was_written(stage: Stage) -> None:
    plan: dict[str, Any] = {
        "category": "news",
        "strategy": Strategy.ESCALATE,
        "retry_seconds": (1, 5),
        "unless_delivered_within_seconds": {WEBSOCKET: 60},
    }

    command = await stage.route(1, WEBSOCKET, EMAIL, **plan)

    assert (await stage.saga(command.notification_id)).plan == Plan(steps=(WEBSOCKET, EMAIL), **plan)


async def test_a_new_epoch_forgets_the_claim_of_the_old_one(stage: Stage) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.PERMANENT))
    await stage.fold_attempt(command, claim.token)
    failed = await stage.fold(command.notification_id, Compensated())
    assert (await stage.delivery(command.notification_id)).token == claim.token

    await stage.fold(command.notification_id, REPLAY)
    await stage.fold(command.notification_id, Routed(plan=Plan(), wanted=(EMAIL,)))

    delivery = await stage.delivery(command.notification_id)
    assert failed.status is NotificationStatus.FAILED
    assert (delivery.epoch, delivery.token, delivery.status, delivery.tries) == (1, None, DeliveryStatus.QUEUED, 0)


async def test_a_late_success_settles_the_dead_letter(stage: Stage) -> None:
    command = await stage.route()
    lost = await stage.claim(command)
    assert lost.token is not None
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    heir = await stage.claim(command)
    await stage.record(command, heir.token, outcome(OutcomeKind.PERMANENT))
    failed = await stage.fold_attempt(command, heir.token)
    async with stage.store.sagas.transaction() as sagas:
        await sagas.bury("notification", "compensate", [failed])
        await sagas.bury("notification", "compensate", [failed])
    await stage.fold(command.notification_id, Compensated())
    open_before = await stage.store.dead_letters.listing(TENANT)

    await stage.record(command, lost.token, outcome(OutcomeKind.ACCEPTED))
    await stage.fold_attempt(command, lost.token)

    assert len(open_before) == 1
    assert (await stage.saga(command.notification_id)).status is NotificationStatus.SENT
    assert [row["status"] for row in await stage.store.dead_letters.listing(TENANT, status="resolved")] == ["resolved"]


async def test_an_attempt_is_found_by_its_token_and_by_no_other(stage: Stage) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    assert claim.token is not None
    said = outcome(OutcomeKind.THROTTLED, reason="later", retry_after_seconds=7.5)
    await stage.record(command, claim.token, said)

    async with stage.store.sagas.transaction() as sagas:
        mine, other = (command.notification_id, claim.token), (order(9).id, claim.token)
        found = await sagas.attempts([mine, other])
        nothing = await sagas.attempts([])

    expected = AttemptRecorded(
        channel=EMAIL,
        epoch=0,
        attempt=1,
        token=claim.token,
        outcome=OutcomeKind.THROTTLED,
        code="throttled",
        reason="later",
        retry_after_seconds=7.5,
    )
    assert (found, nothing) == ({mine: expected}, {})


async def test_why_its_provider_was_asked_is_found_with_an_attempt_and_shown(stage: Stage) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.ACCEPTED, choice="the first provider is left alone"))

    await stage.fold_attempt(command, claim.token)

    document = await stage.store.views.notification(TENANT, command.notification_id)
    assert document is not None
    assert document["attempts"][0]["choice"] == "the first provider is left alone"
    told = {line["what"]: line["why"] for line in document["timeline"]}
    assert told["provider_chosen"] == "the first provider is left alone"


@pytest.mark.parametrize(
    ("receipt", "epoch", "status"),
    [
        (Receipt.FAILED, 0, NotificationStatus.COMPENSATING),
        (Receipt.FAILED, 1, NotificationStatus.SENT),
        (Receipt.DELIVERED, 0, NotificationStatus.SENT),
    ],
)
async def test_a_bounce_that_came_before_the_success_is_found_with_it(
    stage: Stage, receipt: Receipt, epoch: int, status: NotificationStatus
) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    about = Subject(tenant=TENANT, notification_id=command.notification_id, channel=EMAIL, epoch=epoch)
    await stage.store.receipts.keep(about, receipt, "it bounced", suppress=False)
    await stage.record(command, claim.token, outcome(OutcomeKind.ACCEPTED))

    assert (await stage.fold_attempt(command, claim.token)).status is status


async def test_all_channels_are_asked_in_one_transaction_and_each_keeps_its_words(stage: Stage) -> None:
    command = await stage.route(1, WEBSOCKET, EMAIL, strategy=Strategy.ALL)

    claims = await stage.claim(command, EMAIL), await stage.claim(command, WEBSOCKET)

    assert [(claim.verdict, claim.content["subject"]) for claim in claims] == [("claimed", "Hello")] * 2


async def test_a_late_success_counts_though_nobody_wanted_the_replay(stage: Stage) -> None:
    command = await stage.route(on_ambiguous=OnAmbiguous.HOLD)
    claim = await stage.claim(command)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    lost = await stage.claim(command)
    await stage.fold_attempt(command, lost.token)
    opted_out = Routed(plan=Plan(), wanted=(EMAIL,), obstacles={EMAIL: Why.OPTED_OUT})
    await stage.fold(command.notification_id, REPLAY)
    skipped = await stage.fold(command.notification_id, opted_out)

    await stage.record(command, claim.token, outcome(OutcomeKind.ACCEPTED))

    assert skipped.status is NotificationStatus.SKIPPED
    assert (await stage.fold_attempt(command, claim.token)).status is NotificationStatus.SENT


async def test_the_backlog_counts_what_is_under_way_up_to_a_ceiling(stage: Stage) -> None:
    keys = [await stage.keep(number) for number in range(3)]
    await fail(stage, keys[0])

    counts = [await stage.store.gauges.backlog()]
    counts += [await stage.store.gauges.count_backlog(1), await stage.store.gauges.count_backlog(10)]
    counts.append(await stage.store.gauges.backlog())

    assert counts == [0, 1, 2, 2]
