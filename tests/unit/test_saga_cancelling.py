"""Calling a notification back, decided without a database: at every turn of its saga."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.saga import Cancelled, Compensated, CompensationOwed, Looked, Receipt, Strategy, What, Why, next_look, owed
from shared.saga.cancelling import PATIENCE_WITH_A_LEASE
from shared.saga.moves import give_way
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, LEASE, NOON, SMS, WEBSOCKET, Story, is_final, pending

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
REGRET = Cancelled(by="the caller")


def queued(**plan: Any) -> Story:
    return Story(EMAIL, SMS, **plan)


def retrying() -> Story:
    story = queued()
    story.ends(K.TRANSIENT)
    return story


def deferred() -> Story:
    story = queued()
    story.ends(K.THROTTLED)
    return story


def scheduled() -> Story:
    return Story(saga=pending(status=N.SCHEDULED, send_at=NOON + timedelta(hours=1)))


@pytest.mark.parametrize("make", [scheduled, Story, queued, retrying, deferred])
def test_what_nobody_has_in_hand_is_cancelled_at_once_and_owed_nothing(make: Any) -> None:
    story = make()

    story.happens(REGRET)

    assert (story.status, story.saga.reason, story.told) == (N.CANCELLED, "cancelled by the caller", [What.CANCELLED])
    assert [delivery.status for delivery in story.saga.deliveries] in ([], [D.CANCELLED])
    assert (owed(story.saga, story.now), next_look(story.saga, story.now)) == ([], None)


def test_what_was_sent_is_compensated_and_then_cancelled_and_never_failed() -> None:
    story = queued()
    story.is_sent()

    story.happens(REGRET)
    asked = owed(story.saga, story.now)
    story.happens(Compensated(not_undone={EMAIL: "an e-mail cannot be called back"}))

    assert asked == [CompensationOwed()]
    assert story.told == [What.NOT_UNDONE, What.CANCELLED]
    assert (story.status, story.standing()) == (N.CANCELLED, D.SENT)


def test_twice_is_once_whoever_asks() -> None:
    story = queued()
    story.is_sent()
    story.happens(REGRET)

    again = story.happens(Cancelled(by="another"))

    assert (again.changed, story.saga.cancelled_by) == (False, "the caller")


@pytest.mark.parametrize("status", [N.DELIVERED, N.FAILED, N.CANCELLED, N.SKIPPED, N.EXPIRED, N.UNKNOWN])
def test_what_has_ended_is_not_cancelled(status: NotificationStatus) -> None:
    story = Story(saga=pending(status=status))

    assert not story.happens(REGRET).changed


def test_what_is_being_given_up_ends_cancelled_instead_of_failed() -> None:
    story = Story(EMAIL)
    story.gives_up()
    before = story.status

    story.happens(REGRET)
    story.happens(Compensated())

    assert (before, story.status) == (N.COMPENSATING, N.CANCELLED)


ENDS: list[tuple[OutcomeKind, dict[str, Any], DeliveryStatus, NotificationStatus]] = [
    (K.ACCEPTED, {}, D.SENT, N.COMPENSATING),
    (K.TRANSIENT, {}, D.CANCELLED, N.CANCELLED),
    (K.THROTTLED, {"retry_after_seconds": 90}, D.CANCELLED, N.CANCELLED),
    (K.PERMANENT, {}, D.FAILED, N.CANCELLED),
    (K.PERMANENT, {"withheld": True, "reason": Why.OPTED_OUT.value}, D.CANCELLED, N.CANCELLED),
    (K.PERMANENT, {"withheld": True, "reason": Why.SUPERSEDED.value}, D.CANCELLED, N.CANCELLED),
    (K.AMBIGUOUS, {}, D.UNKNOWN, N.COMPENSATING),
    (K.ACCEPTED, {"undelivered": "no such box"}, D.FAILED, N.CANCELLED),
]


@pytest.mark.parametrize(("outcome", "said", "delivery", "status"), ENDS)
def test_a_call_under_way_is_waited_for_and_whatever_it_says_nothing_follows(
    outcome: OutcomeKind, said: dict[str, Any], delivery: DeliveryStatus, status: NotificationStatus
) -> None:
    story = queued()
    token = story.claim()
    story.happens(REGRET)
    waiting = story.status

    story.happens(story.record(token, outcome, **said))

    assert (waiting, story.standing(), story.status) == (N.QUEUED, delivery, status)
    assert story.saga.delivery(SMS) is None


def test_while_a_call_is_under_way_the_others_are_called_off_and_it_is_told() -> None:
    story = Story(EMAIL, SMS, WEBSOCKET, strategy=Strategy.ALL)
    token = story.claim(SMS)

    decision = story.happens(REGRET)

    assert [story.standing(channel) for channel in (EMAIL, SMS, WEBSOCKET)] == [D.CANCELLED, D.SENDING, D.CANCELLED]
    assert [(entry.what, entry.detail) for entry in decision.entries] == [(What.CANCELLING, {"under_way": ["sms"]})]
    story.happens(story.record(token, K.PERMANENT, SMS))
    assert story.status is N.CANCELLED


def test_with_several_calls_under_way_the_last_one_ends_it() -> None:
    story = Story(EMAIL, SMS, strategy=Strategy.ALL)
    first, second = story.claim(EMAIL), story.claim(SMS)
    story.happens(REGRET)

    story.happens(story.record(first, K.ACCEPTED, EMAIL))
    between = story.status
    story.happens(story.record(second, K.TRANSIENT, SMS))

    assert (between, story.status) == (N.QUEUED, N.COMPENSATING)
    assert (story.standing(EMAIL), story.standing(SMS)) == (D.SENT, D.CANCELLED)


def test_a_failure_after_an_attempt_that_may_have_been_taken_leaves_it_unknown() -> None:
    story = queued()
    story.claim()
    story.take_over()
    token = story.delivery().token
    assert token is not None
    story.happens(REGRET)

    story.happens(story.record(token, K.TRANSIENT))

    assert (story.standing(), story.status) == (D.UNKNOWN, N.COMPENSATING)


def test_a_lost_lease_is_not_taken_over_for_another_call() -> None:
    story = queued()
    story.claim()
    story.happens(REGRET)

    story.happens(story.take_over())

    assert (story.standing(), story.status) == (D.UNKNOWN, N.COMPENSATING)


def test_nobody_waits_for_ever_for_who_holds_a_claim() -> None:
    story = queued()
    story.claim()
    story.happens(REGRET)

    story.look(after_seconds=(LEASE + PATIENCE_WITH_A_LEASE).total_seconds() - 1)
    before = story.standing()
    story.look(after_seconds=1)

    assert (before, story.standing(), story.status) == (D.SENDING, D.UNKNOWN, N.COMPENSATING)


def test_an_outcome_on_record_is_waited_for_however_late_it_is() -> None:
    story = queued()
    token = story.claim()
    said = story.record(token, K.ACCEPTED)
    story.happens(REGRET)

    story.look(after_seconds=7_200)
    before = story.standing()
    story.happens(said)

    assert (before, story.standing()) == (D.SENDING, D.SENT)


def test_neither_expiry_nor_deadline_nor_acknowledgement_ends_it_otherwise() -> None:
    story = Story(WEBSOCKET, EMAIL, unless_delivered_within_seconds={WEBSOCKET: 30})
    story.is_sent(WEBSOCKET)
    story.look(after_seconds=31)
    token = story.claim(EMAIL)
    story.happens(REGRET)

    story.hears(Receipt.DELIVERED, WEBSOCKET)
    acknowledged = story.status
    story.look(after_seconds=90_000)
    story.happens(story.record(token, K.ACCEPTED, EMAIL))
    story.happens(Compensated())

    assert (acknowledged, story.status) == (N.QUEUED, N.CANCELLED)


def test_a_late_success_of_what_is_cancelled_is_taken_back_too() -> None:
    story = queued()
    token = story.claim()
    story.happens(REGRET)
    story.happens(story.take_over())
    story.happens(Compensated(not_undone={EMAIL: "nobody knows"}))
    ended = story.status

    story.happens(story.record(token, K.ACCEPTED))
    taken_back = story.status
    story.happens(Compensated(retracted=frozenset({EMAIL})))

    assert (ended, taken_back, story.status, story.standing()) == (
        N.CANCELLED,
        N.COMPENSATING,
        N.CANCELLED,
        D.RETRACTED,
    )


def test_a_receipt_of_what_is_cancelled_is_told_and_taken_back_only_if_nobody_knew_of_it() -> None:
    story = queued()
    story.is_sent()
    story.happens(REGRET)
    story.happens(Compensated(not_undone={EMAIL: "an e-mail cannot be called back"}))

    story.hears(Receipt.READ)

    assert (story.status, story.standing(), story.told) == (N.CANCELLED, D.READ, [What.READ])


def test_whatever_lets_it_give_way_no_other_channel_is_asked() -> None:
    story = queued()
    failed = story.delivery().but(status=D.FAILED)
    called_back = story.saga.with_delivery(failed).but(cancelled_by="the caller")

    decision = give_way(called_back, "it failed", ())

    assert (decision.saga.status, decision.saga.delivery(SMS)) == (N.CANCELLED, None)


def test_what_was_given_back_after_the_cancellation_ends_at_the_next_look() -> None:
    story = queued()
    story.claim()
    story.happens(REGRET)
    back = story.delivery().but(status=D.QUEUED, token=None, lease_until=None)
    story.saga = story.saga.with_delivery(back)

    look = next_look(story.saga, story.now)
    story.happens(Looked())

    assert look is not None
    assert (story.status, story.standing()) == (N.CANCELLED, D.CANCELLED)
    assert is_final(story.saga)
