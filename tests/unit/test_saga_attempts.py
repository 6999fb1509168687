"""What a notification does about the outcome of an attempt."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.saga import CommandOwed, OnAmbiguous, What, owed
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, NOON, SMS, Story, is_final, pending

N, D = NotificationStatus, DeliveryStatus
HOLD = OnAmbiguous.HOLD
ACCEPTED, PERMANENT, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT
THROTTLED, AMBIGUOUS = OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS


def test_a_notification_is_sent_when_the_provider_takes_it() -> None:
    story = Story(EMAIL, SMS)

    story.is_sent()

    assert (story.status, story.standing()) == (N.SENT, D.SENT)
    assert is_final(story.saga)
    assert owed(story.saga, story.now) == []


def test_a_sent_notification_asks_no_other_channel() -> None:
    story = Story(EMAIL, SMS)

    story.is_sent()

    assert story.saga.delivery(SMS) is None


def test_a_transient_failure_is_tried_again_after_two_four_and_eight_seconds() -> None:
    story = Story(EMAIL)

    waits = []
    for _ in range(3):
        story.ends(TRANSIENT)
        assert story.standing() is D.RETRYING
        waits.append(story.waits_seconds())

    for wait, promised in zip(waits, (2, 4, 8), strict=True):
        assert promised <= wait <= promised * 1.1


@pytest.mark.parametrize(("asked", "promised"), [(30, 30), (0.5, 2), (None, 2), (10**12, 7 * 86_400)])
def test_a_provider_that_fails_and_says_when_to_come_back_is_not_called_before(
    asked: float | None, promised: float
) -> None:
    story = Story(EMAIL)

    story.ends(TRANSIENT, retry_after_seconds=asked)

    assert promised <= story.waits_seconds() <= promised * 1.1


def test_jitter_only_adds_and_spreads_notifications_that_fail_together() -> None:
    waits = set()
    for _ in range(50):
        story = Story(EMAIL, saga=pending(id=uuid4()))
        story.ends(TRANSIENT)
        waits.add(story.waits_seconds())

    assert min(waits) >= 2
    assert max(waits) <= 2.2
    assert len(waits) > 25


def test_a_workflow_sets_its_own_waits_and_so_the_number_of_tries() -> None:
    story = Story(EMAIL, retry_seconds=(30,))

    story.ends(TRANSIENT)
    first_wait = story.waits_seconds()
    story.ends(TRANSIENT)

    assert 30 <= first_wait <= 33
    assert story.status is N.COMPENSATING


def test_a_workflow_without_waits_tries_once() -> None:
    story = Story(EMAIL, SMS, retry_seconds=())

    story.ends(TRANSIENT)

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.FAILED, D.QUEUED)


def test_after_the_first_try_and_three_more_the_next_channel_follows() -> None:
    story = Story(EMAIL, SMS)

    for _ in range(4):
        story.ends(TRANSIENT, reason="the mail server is busy")

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.FAILED, D.QUEUED)
    assert story.delivery(EMAIL).reason == "no success in 4 tries: the mail server is busy"
    assert story.told == [What.CHANNEL_FAILED, What.ROUTED]


def test_when_every_channel_has_failed_it_goes_to_compensation() -> None:
    story = Story(EMAIL, SMS)

    for channel in (EMAIL, SMS):
        for _ in range(4):
            story.ends(TRANSIENT, channel)

    assert story.status is N.COMPENSATING
    assert story.told == [What.CHANNEL_FAILED, What.GIVING_UP]


def test_the_next_try_has_the_next_number() -> None:
    story = Story(EMAIL)

    story.ends(TRANSIENT)

    due_at = story.delivery().due_at
    assert owed(story.saga, story.now) == [CommandOwed(channel=EMAIL, attempt=2, epoch=0, due_at=due_at)]


def test_a_throttled_attempt_uses_up_no_try() -> None:
    story = Story(EMAIL, saga=pending(expires_at=NOON + timedelta(days=7)))

    for _ in range(20):
        story.ends(THROTTLED)

    assert (story.status, story.standing()) == (N.QUEUED, D.DEFERRED)
    assert story.delivery().tries == 0


def test_a_throttled_attempt_waits_as_long_as_the_provider_says() -> None:
    story = Story(EMAIL)

    story.ends(THROTTLED, retry_after_seconds=37)

    assert 37 <= story.waits_seconds() <= 37 * 1.1


def test_without_a_word_from_the_provider_the_waits_grow_to_an_hour() -> None:
    story = Story(EMAIL)

    waits = []
    for _ in range(6):
        story.ends(THROTTLED)
        waits.append(story.waits_seconds())

    for wait, promised in zip(waits, (15, 60, 300, 900, 3600, 3600), strict=True):
        assert promised <= wait <= promised * 1.1


@pytest.mark.parametrize("asked", [0, -5, 0.2])
def test_a_provider_that_says_at_once_is_left_in_peace_for_a_second(asked: float) -> None:
    story = Story(EMAIL)

    story.ends(THROTTLED, retry_after_seconds=asked)

    assert 1 <= story.waits_seconds() <= 1.1


@pytest.mark.parametrize("asked", [1e9, 1e15, float("inf")])
def test_a_wait_beyond_the_calendar_ends_as_a_wait_that_is_too_long(asked: float) -> None:
    story = Story(EMAIL, SMS)

    story.ends(THROTTLED, retry_after_seconds=asked)

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.FAILED, D.QUEUED)


def test_a_wait_beyond_the_expiry_gives_way_to_the_next_channel() -> None:
    story = Story(EMAIL, SMS, saga=pending(expires_at=NOON + timedelta(minutes=10)))

    story.ends(THROTTLED, retry_after_seconds=601)

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.FAILED, D.QUEUED)


def test_the_last_channel_waits_until_the_notification_expires() -> None:
    story = Story(EMAIL, saga=pending(expires_at=NOON + timedelta(minutes=10)))

    story.ends(THROTTLED, retry_after_seconds=601)
    waiting = story.status
    story.look(after_seconds=600)

    assert (waiting, story.status) == (N.QUEUED, N.EXPIRED)


def test_after_a_throttle_all_tries_for_transient_failures_are_still_there() -> None:
    story = Story(EMAIL)

    story.ends(THROTTLED)
    for _ in range(3):
        story.ends(TRANSIENT)
    before_the_last = story.standing()
    story.ends(TRANSIENT)

    assert (before_the_last, story.standing()) == (D.RETRYING, D.FAILED)


def test_a_permanent_failure_is_not_tried_again() -> None:
    story = Story(EMAIL, SMS)

    story.ends(PERMANENT, reason="no such mailbox")

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.FAILED, D.QUEUED)
    assert story.delivery(EMAIL).reason == "no such mailbox"


def test_a_permanent_failure_on_the_last_channel_goes_to_compensation() -> None:
    story = Story(EMAIL)

    story.gives_up()

    assert story.status is N.COMPENSATING


def test_what_the_person_does_not_want_is_cancelled_and_the_notification_skipped() -> None:
    story = Story(EMAIL)

    story.ends(PERMANENT, withheld=True, reason="the address is suppressed")

    assert (story.standing(), story.status) == (D.CANCELLED, N.SKIPPED)
    assert story.told == [What.WITHHELD, What.SKIPPED]


def test_what_was_withheld_on_one_channel_is_offered_on_the_next() -> None:
    story = Story(EMAIL, SMS)

    story.ends(PERMANENT, withheld=True, reason="the address is suppressed")

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.CANCELLED, D.QUEUED)


def test_withheld_on_one_and_failed_on_the_other_is_a_failure_not_a_wish() -> None:
    story = Story(EMAIL, SMS)

    story.ends(PERMANENT, withheld=True, reason="the address is suppressed")
    story.gives_up(SMS)

    assert story.status is N.COMPENSATING


def test_where_a_second_send_is_allowed_an_ambiguous_attempt_is_tried_again_and_says_so() -> None:
    story = Story(EMAIL)

    story.ends(AMBIGUOUS)

    assert story.standing() is D.RETRYING
    assert story.told == [What.AMBIGUOUS, What.RETRYING]


def test_where_nothing_may_be_sent_twice_an_ambiguous_attempt_ends_it_unknown() -> None:
    story = Story(EMAIL, SMS, on_ambiguous=HOLD)

    story.ends(AMBIGUOUS)

    assert (story.status, story.standing()) == (N.UNKNOWN, D.UNKNOWN)
    assert story.saga.delivery(SMS) is None
    assert owed(story.saga, story.now) == []


def test_where_nothing_may_be_sent_twice_a_clear_failure_is_still_tried_again() -> None:
    story = Story(EMAIL, on_ambiguous=HOLD)

    story.ends(TRANSIENT)

    assert story.standing() is D.RETRYING


def test_ambiguous_attempts_use_up_tries_and_then_the_next_channel_follows() -> None:
    story = Story(EMAIL, SMS)

    for _ in range(4):
        story.ends(AMBIGUOUS)

    assert (story.standing(EMAIL), story.standing(SMS)) == (D.UNKNOWN, D.QUEUED)


def test_when_nobody_knows_and_no_channel_is_left_it_ends_unknown_and_not_failed() -> None:
    story = Story(EMAIL, SMS)

    for _ in range(4):
        story.ends(AMBIGUOUS)
    story.gives_up(SMS)

    assert story.status is N.UNKNOWN


def test_the_abandoned_attempt_of_a_taken_over_lease_moves_nothing() -> None:
    story = Story(EMAIL)
    story.claim()

    abandoned = story.take_over()

    assert not story.happens(abandoned).changed
    assert (story.standing(), story.delivery().tries) == (D.SENDING, 2)


def test_after_three_takeovers_nobody_knows_any_more() -> None:
    story = Story(EMAIL)
    story.claim()

    story.take_over()
    story.take_over()
    lost = story.take_over()
    story.happens(lost)

    assert (story.standing(), story.status) == (D.UNKNOWN, N.UNKNOWN)


def test_where_nothing_may_be_sent_twice_the_first_expired_lease_ends_it_unknown() -> None:
    story = Story(EMAIL, on_ambiguous=HOLD)
    story.claim()

    story.happens(story.take_over())

    assert (story.standing(), story.status) == (D.UNKNOWN, N.UNKNOWN)
