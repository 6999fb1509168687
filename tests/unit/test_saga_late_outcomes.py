"""What a notification does about an outcome that comes late, comes twice, or belongs to nobody."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from shared.saga import Compensated, Looked, OnAmbiguous, Receipt, Replayed, next_look, owed
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, SMS, WEBSOCKET, Story, is_final, routed

N, D = NotificationStatus, DeliveryStatus
HOLD = OnAmbiguous.HOLD
ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS
FAILURES = (PERMANENT, TRANSIENT, THROTTLED, AMBIGUOUS)


def test_a_late_success_of_an_abandoned_attempt_wins_and_the_next_one_is_called_off() -> None:
    story = Story(EMAIL)
    token = story.claim()
    abandoned = story.delivery()
    story.take_over()

    decision = story.happens(story.attempt(abandoned, token, ACCEPTED))

    assert (story.status, story.standing()) == (N.SENT, D.SENT)
    assert "late success" in decision.entries[0].why
    assert owed(story.saga, story.now) == []


def test_who_opts_out_after_an_attempt_that_nobody_came_back_from_was_not_simply_skipped() -> None:
    story = Story(EMAIL)
    token = story.claim()
    abandoned = story.delivery()
    story.take_over()

    story.ends(PERMANENT, withheld=True, reason="the user does not want this category here")

    assert (story.status, story.standing()) == (N.UNKNOWN, D.UNKNOWN)
    assert "may have been taken" in story.saga.reason
    story.happens(story.attempt(abandoned, token, ACCEPTED))
    assert (story.status, story.standing()) == (N.SENT, D.SENT)


def test_what_was_delivered_after_all_is_not_waited_for_on_another_channel() -> None:
    story = Story(EMAIL, WEBSOCKET, retry_seconds=(), unless_delivered_within_seconds={WEBSOCKET: 30.0})
    story.ends(AMBIGUOUS)
    story.is_sent(WEBSOCKET)

    story.hears(Receipt.DELIVERED, EMAIL)

    assert story.status is N.DELIVERED
    assert is_final(story.saga)
    assert (owed(story.saga, story.now), next_look(story.saga, story.now)) == ([], None)


def test_a_late_success_calls_off_the_next_channel() -> None:
    story = Story(EMAIL, SMS)
    last = [story.ends(AMBIGUOUS) for _ in range(4)][-1]

    story.happens(story.attempt(story.delivery(), last.token, ACCEPTED))

    assert (story.status, story.standing(EMAIL), story.standing(SMS)) == (N.SENT, D.SENT, D.CANCELLED)


def test_a_late_success_of_an_older_epoch_wins_and_calls_off_the_replay() -> None:
    story = Story(EMAIL, on_ambiguous=HOLD)
    older = story.ends(AMBIGUOUS)
    before = story.delivery()
    story.happens(Replayed(by="ops", window_seconds=3600))
    story.happens(routed(SMS))

    story.happens(story.attempt(before, older.token, ACCEPTED))

    assert (story.status, story.standing(EMAIL), story.standing(SMS)) == (N.SENT, D.SENT, D.CANCELLED)


def test_a_late_success_before_the_replay_is_routed_makes_it_needless() -> None:
    story = Story(EMAIL, on_ambiguous=HOLD)
    older = story.ends(AMBIGUOUS)
    story.happens(Replayed(by="ops", window_seconds=3600))

    story.happens(story.attempt(story.delivery(), older.token, ACCEPTED))

    assert (story.status, owed(story.saga, story.now)) == (N.SENT, [])


def failed() -> Story:
    story = Story(EMAIL)
    story.gives_up()
    story.happens(Compensated())
    return story


def unknown() -> Story:
    story = Story(EMAIL, on_ambiguous=HOLD)
    story.ends(AMBIGUOUS)
    return story


def expired() -> Story:
    story = Story(EMAIL)
    story.ends(TRANSIENT)
    story.look(after_seconds=25 * 3600)
    return story


@pytest.mark.parametrize(("end", "status"), [(failed, N.FAILED), (unknown, N.UNKNOWN), (expired, N.EXPIRED)])
def test_a_late_success_turns_an_ended_notification_into_a_sent_one(
    end: Callable[[], Story], status: NotificationStatus
) -> None:
    story = end()
    ended = story.status

    story.happens(story.attempt(story.delivery(), uuid4(), ACCEPTED))

    assert ended is status
    assert (story.status, story.standing()) == (N.SENT, D.SENT)


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_late_failure_of_an_older_attempt_is_ignored(outcome: OutcomeKind) -> None:
    story = Story(EMAIL)
    older, token = story.delivery(), story.ends(TRANSIENT).token
    story.claim()

    assert not story.happens(story.attempt(older, token, outcome)).changed


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_late_failure_after_a_success_is_ignored(outcome: OutcomeKind) -> None:
    story = Story(EMAIL, SMS)
    token = story.ends(ACCEPTED).token

    assert not story.happens(story.attempt(story.delivery(), token, outcome)).changed


@pytest.mark.parametrize("outcome", list(OutcomeKind))
def test_a_copy_of_an_outcome_changes_nothing(outcome: OutcomeKind) -> None:
    story = Story(EMAIL, SMS)
    attempt = story.ends(outcome)
    before = story.saga

    decision = story.happens(attempt)

    assert not decision.changed
    assert decision.saga == before


def test_a_copy_of_an_old_outcome_changes_nothing_while_the_next_attempt_runs() -> None:
    story = Story(EMAIL)
    attempt = story.ends(TRANSIENT)
    story.claim()

    assert not story.happens(attempt).changed


def test_an_outcome_for_a_channel_that_was_never_asked_changes_nothing() -> None:
    story = Story(EMAIL)

    stranger = story.attempt(Story(WEBSOCKET).delivery(WEBSOCKET), uuid4(), ACCEPTED)

    assert not story.happens(stranger).changed


def test_a_receipt_that_overtakes_the_outcome_is_not_undone_by_it() -> None:
    story = Story(EMAIL)
    attempt = story.record(story.claim(), ACCEPTED)
    story.hears(Receipt.DELIVERED)

    decision = story.happens(attempt)

    assert not decision.changed
    assert (story.status, story.standing()) == (N.DELIVERED, D.DELIVERED)


def test_a_look_between_attempts_changes_nothing() -> None:
    story = Story(EMAIL)
    story.ends(TRANSIENT)

    assert not story.happens(Looked()).changed
