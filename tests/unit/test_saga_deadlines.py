"""What a notification does as time passes, when receipts come, and when a person asks for it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.saga import (
    Compensated,
    CompensationOwed,
    EventOwed,
    LookOwed,
    Occurrence,
    OnAmbiguous,
    Receipt,
    Replayed,
    What,
    owed,
)
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, NOON, SMS, WEBSOCKET, Story, is_final, pending, routed

N, D = NotificationStatus, DeliveryStatus
WITHIN = {WEBSOCKET: 60.0}


def shown() -> Story:
    """Tell of a notification in the inbox, which must be acknowledged within a minute, or else goes by e-mail."""
    story = Story(WEBSOCKET, EMAIL, unless_delivered_within_seconds=WITHIN)
    story.is_sent(WEBSOCKET)
    return story


def compensating() -> Story:
    story = Story(EMAIL)
    story.gives_up()
    return story


def failed() -> Story:
    story = compensating()
    story.happens(Compensated())
    return story


def unknown() -> Story:
    story = Story(EMAIL, on_ambiguous=OnAmbiguous.HOLD)
    story.ends(OutcomeKind.AMBIGUOUS)
    return story


def test_what_must_be_acknowledged_is_sent_and_still_owed_a_look() -> None:
    story = shown()

    assert story.status is N.SENT
    assert not is_final(story.saga)
    assert owed(story.saga, story.now) == [LookOwed(channel=WEBSOCKET, due_at=NOON + timedelta(seconds=60))]


def test_it_does_not_fall_back_before_the_time_is_over() -> None:
    story = shown()

    assert not story.look(after_seconds=59.9).changed


def test_it_falls_back_to_the_next_channel_when_nobody_acknowledges_in_time() -> None:
    story = shown()

    story.look(after_seconds=60)

    assert (story.status, story.standing(EMAIL)) == (N.QUEUED, D.QUEUED)
    assert story.told == [What.FALLING_BACK, What.ROUTED]
    assert story.delivery(WEBSOCKET).reason == "not acknowledged within 60 s"


@pytest.mark.parametrize("receipt", [Receipt.DELIVERED, Receipt.READ])
def test_it_does_not_fall_back_once_it_is_acknowledged(receipt: Receipt) -> None:
    story = shown()

    story.hears(receipt, WEBSOCKET)
    decision = story.look(after_seconds=3600)

    assert not decision.changed
    assert (story.status, story.saga.delivery(EMAIL)) == (N.DELIVERED, None)
    assert is_final(story.saga)


def test_an_acknowledgement_after_the_fall_back_calls_the_next_channel_off() -> None:
    story = shown()
    story.look(after_seconds=60)

    story.hears(Receipt.DELIVERED, WEBSOCKET)

    assert (story.status, story.standing(EMAIL)) == (N.DELIVERED, D.CANCELLED)
    assert owed(story.saga, story.now) == []


def test_it_falls_back_only_once() -> None:
    story = shown()
    story.look(after_seconds=60)

    assert not story.look(after_seconds=60).changed


def test_without_a_channel_to_fall_back_to_it_stays_sent_and_is_final() -> None:
    story = Story(WEBSOCKET, unless_delivered_within_seconds=WITHIN)
    story.is_sent(WEBSOCKET)

    story.look(after_seconds=60)

    assert story.status is N.SENT
    assert is_final(story.saga)


def test_when_the_channel_it_fell_back_to_fails_it_is_still_sent() -> None:
    story = shown()
    story.look(after_seconds=60)

    story.gives_up(EMAIL)

    assert (story.status, story.standing(WEBSOCKET)) == (N.SENT, D.SENT)


def test_what_was_sent_stays_sent_when_its_fall_back_expires() -> None:
    story = shown()
    story.look(after_seconds=60)

    story.look(after_seconds=25 * 3600)

    assert (story.status, story.standing(EMAIL)) == (N.SENT, D.CANCELLED)


@pytest.mark.parametrize("status", [N.SCHEDULED, N.PENDING])
def test_what_was_never_routed_expires(status: NotificationStatus) -> None:
    story = Story(saga=pending(status=status))

    story.look(after_seconds=24 * 3600)

    assert story.status is N.EXPIRED
    assert owed(story.saga, story.now) == []


def test_what_waits_for_its_next_try_expires_and_the_try_is_called_off() -> None:
    story = Story(EMAIL)
    story.ends(OutcomeKind.THROTTLED, retry_after_seconds=80_000)

    story.look(after_seconds=24 * 3600)

    assert (story.status, story.standing()) == (N.EXPIRED, D.CANCELLED)


def test_nothing_expires_before_its_time() -> None:
    story = Story(EMAIL)

    assert not story.look(after_seconds=24 * 3600 - 1).changed


def test_a_call_under_way_is_not_cut_off_by_the_expiry() -> None:
    story = Story(EMAIL, saga=pending(expires_at=NOON + timedelta(seconds=10)))
    token = story.claim()

    decision = story.look(after_seconds=11)
    story.happens(story.record(token, OutcomeKind.ACCEPTED))

    assert not decision.changed
    assert story.status is N.SENT


def test_an_outcome_that_is_recorded_is_folded_before_the_expiry_is() -> None:
    story = Story(EMAIL, saga=pending(expires_at=NOON + timedelta(seconds=10)))
    attempt = story.record(story.claim(), OutcomeKind.ACCEPTED)

    decision = story.look(after_seconds=3600)
    story.happens(attempt)

    assert not decision.changed
    assert story.status is N.SENT


@pytest.mark.parametrize("end", [failed, unknown, shown])
def test_what_has_ended_does_not_expire(end: Callable[[], Story]) -> None:
    story = end()
    story.now = NOON + timedelta(seconds=30)
    before = story.status
    story.saga = pending(status=before, expires_at=NOON, deliveries=story.saga.deliveries, plan=story.saga.plan)

    assert not story.look().changed


def test_a_scheduled_notification_comes_to_its_turn_at_its_time() -> None:
    story = Story(saga=pending(status=N.SCHEDULED, send_at=NOON + timedelta(hours=1)))

    early = story.look(after_seconds=3599)
    story.look(after_seconds=1)

    assert not early.changed
    assert (story.status, owed(story.saga, story.now)) == (N.PENDING, [EventOwed()])


def test_a_delivered_notification_may_be_read_later() -> None:
    story = Story(EMAIL)
    story.is_sent()

    story.hears(Receipt.DELIVERED)
    story.hears(Receipt.READ)

    assert (story.status, story.standing()) == (N.DELIVERED, D.READ)


def test_receipts_that_come_out_of_order_never_go_back() -> None:
    story = Story(EMAIL)
    story.is_sent()
    story.hears(Receipt.READ)

    decision = story.hears(Receipt.DELIVERED)

    assert not decision.changed
    assert story.standing() is D.READ


@pytest.mark.parametrize("receipt", list(Receipt))
def test_a_copy_of_a_receipt_changes_nothing(receipt: Receipt) -> None:
    story = Story(EMAIL)
    story.is_sent()
    story.hears(receipt)

    assert not story.hears(receipt).changed


def test_a_receipt_before_the_outcome_is_folded_counts() -> None:
    story = Story(EMAIL)
    story.claim()

    story.hears(Receipt.DELIVERED)

    assert (story.status, story.standing()) == (N.DELIVERED, D.DELIVERED)


def test_a_receipt_of_another_epoch_changes_nothing() -> None:
    story = Story(EMAIL)
    story.is_sent()

    assert not story.hears(Receipt.READ, epoch=1).changed


def test_a_receipt_for_what_was_never_called_changes_nothing() -> None:
    story = Story(EMAIL)

    assert not story.hears(Receipt.DELIVERED).changed


def test_a_receipt_for_a_channel_that_was_never_asked_changes_nothing() -> None:
    story = Story(EMAIL)

    assert not story.hears(Receipt.DELIVERED, SMS, epoch=0).changed


def test_a_receipt_proves_that_what_nobody_knew_was_sent() -> None:
    story = unknown()

    story.hears(Receipt.DELIVERED)

    assert (story.status, story.standing()) == (N.SENT, D.DELIVERED)


def test_a_receipt_before_the_replay_is_routed_makes_it_needless() -> None:
    story = unknown()
    story.happens(Replayed(by="ops", window_seconds=3600))

    story.hears(Receipt.DELIVERED)

    assert (story.status, owed(story.saga, story.now)) == (N.SENT, [])


def test_compensation_ends_it_as_failed_with_the_reason() -> None:
    story = Story(EMAIL)
    story.ends(OutcomeKind.PERMANENT, reason="no such mailbox")
    waiting = owed(story.saga, story.now)

    story.happens(Compensated())

    assert waiting == [CompensationOwed()]
    assert (story.status, story.saga.reason) == (N.FAILED, "no such mailbox")
    assert owed(story.saga, story.now) == []


def test_compensation_takes_back_what_it_could_and_names_what_it_could_not() -> None:
    story = shown()
    story.saga = pending(status=N.COMPENSATING, deliveries=story.saga.deliveries)

    decision = story.happens(Compensated(retracted=frozenset({WEBSOCKET}), not_undone={EMAIL: "it is gone"}))

    assert story.standing(WEBSOCKET) is D.RETRACTED
    assert story.told == [What.COMPENSATED, What.NOT_UNDONE, What.FAILED]
    assert decision.entries[1].why == "it is gone"


def test_a_success_during_the_compensation_is_not_compensated() -> None:
    story = compensating()
    story.happens(story.attempt(story.delivery(), story.delivery().token or story.saga.id, OutcomeKind.ACCEPTED))

    decision = story.happens(Compensated())

    assert not decision.changed
    assert story.status is N.SENT


@pytest.mark.parametrize("occurrence", [Compensated(), Replayed(by="ops", window_seconds=60)])
def test_what_is_under_way_is_neither_compensated_nor_replayed(occurrence: Occurrence) -> None:
    story = Story(EMAIL)

    assert not story.happens(occurrence).changed


@pytest.mark.parametrize("end", [failed, unknown])
def test_a_replay_begins_a_new_epoch_with_a_time_of_its_own(end: Callable[[], Story]) -> None:
    story = end()
    story.now += timedelta(days=3)

    story.happens(Replayed(by="ops", window_seconds=3600))

    assert (story.status, story.saga.epoch) == (N.PENDING, 1)
    assert story.saga.expires_at == story.now + timedelta(hours=1)
    assert owed(story.saga, story.now) == [EventOwed()]


def test_a_replay_has_all_its_tries_again() -> None:
    story = failed()
    story.happens(Replayed(by="ops", window_seconds=3600))
    story.happens(routed(EMAIL))

    for _ in range(3):
        story.ends(OutcomeKind.TRANSIENT)

    assert (story.standing(), story.delivery().epoch) == (D.RETRYING, 1)


def test_an_outcome_of_the_older_epoch_does_not_fail_the_replay() -> None:
    story = Story(EMAIL)
    older = story.ends(OutcomeKind.PERMANENT)
    story.happens(Compensated())
    story.happens(Replayed(by="ops", window_seconds=3600))
    story.happens(routed(EMAIL))
    story.claim()

    assert not story.happens(older).changed


@pytest.mark.parametrize("copies", [Compensated(), Replayed(by="ops", window_seconds=60)])
def test_a_copy_of_a_compensation_or_a_replay_changes_nothing(copies: Occurrence) -> None:
    story = compensating() if isinstance(copies, Compensated) else failed()
    story.happens(copies)

    assert not story.happens(copies).changed


def test_a_claim_whose_holder_never_comes_back_ends_unknown_long_after_the_expiry() -> None:
    story = Story(EMAIL, saga=pending(expires_at=NOON + timedelta(seconds=10)))
    story.claim()

    story.look(after_seconds=120)
    soon = story.saga.status
    story.look(after_seconds=3600)

    assert soon is NotificationStatus.QUEUED
    assert story.saga.status is NotificationStatus.UNKNOWN


def test_what_may_have_been_sent_is_unknown_and_not_expired() -> None:
    story = Story(EMAIL, WEBSOCKET, saga=pending(expires_at=NOON + timedelta(seconds=60)), retry_seconds=())
    story.ends(OutcomeKind.AMBIGUOUS)

    story.look(after_seconds=3600)

    assert story.saga.status is NotificationStatus.UNKNOWN
