"""How the channels of a notification follow each other: until one is sent, all at once, or until somebody acts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.saga import (
    CommandOwed,
    Compensated,
    LookOwed,
    OnAmbiguous,
    Receipt,
    Replayed,
    Strategy,
    What,
    Why,
    next_look,
    owed,
)
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.workflows import Workflow
from tests.unit.sagas import EMAIL, NOON, SMS, WEBSOCKET, Story, is_final, pending, routed

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
ACKNOWLEDGEMENTS = (Receipt.DELIVERED, Receipt.READ)


def on_all(*steps: Channel, on_ambiguous: OnAmbiguous = OnAmbiguous.RESEND) -> Story:
    return Story(*steps, strategy=Strategy.ALL, retry_seconds=(2.0,), on_ambiguous=on_ambiguous)


def escalating(*steps: Channel, retry_seconds: tuple[float, ...] = ()) -> Story:
    plan = Workflow(strategy=Strategy.ESCALATE, escalate_after_seconds=60, retry_seconds=retry_seconds).plan()
    return Story(
        *steps,
        strategy=plan.strategy,
        retry_seconds=plan.retry_seconds,
        unless_delivered_within_seconds=plan.unless_delivered_within_seconds,
    )


def asked(story: Story) -> list[Channel]:
    return [item.channel for item in owed(story.saga, story.now) if isinstance(item, CommandOwed)]


def test_with_all_every_usable_channel_is_asked_at_once_in_the_order_of_the_workflow() -> None:
    story = Story(EMAIL, SMS, WEBSOCKET, strategy=Strategy.ALL, obstacles={SMS: Why.NO_ADDRESS})

    assert asked(story) == [EMAIL, WEBSOCKET]
    assert [story.delivery(channel).position for channel in (EMAIL, WEBSOCKET)] == [0, 1]
    assert story.told == [What.ROUTED, What.ROUTED]


def test_with_all_a_success_calls_off_nobody_and_ends_nothing_before_the_last() -> None:
    story = on_all(EMAIL, SMS)

    story.is_sent(EMAIL)

    assert (story.status, story.standing(EMAIL), story.standing(SMS)) == (N.QUEUED, D.SENT, D.QUEUED)
    assert asked(story) == [SMS]

    story.is_sent(SMS)
    assert (story.status, is_final(story.saga)) == (N.SENT, True)


def test_with_all_a_channel_that_fails_is_told_and_the_others_go_on() -> None:
    story = on_all(EMAIL, SMS)

    story.gives_up(EMAIL)

    assert story.told == [What.CHANNEL_FAILED]
    assert (story.status, asked(story)) == (N.QUEUED, [SMS])

    story.is_sent(SMS)
    assert (story.status, story.standing(EMAIL)) == (N.SENT, D.FAILED)


def test_with_all_the_last_failure_after_a_success_ends_as_sent() -> None:
    story = on_all(EMAIL, SMS)
    story.is_sent(EMAIL)

    story.gives_up(SMS)

    assert story.status is N.SENT


def test_with_all_nothing_reached_is_given_up_once_the_last_has_failed() -> None:
    story = on_all(EMAIL, SMS)

    story.gives_up(EMAIL)
    story.gives_up(SMS)

    assert (story.status, story.told) == (N.COMPENSATING, [What.CHANNEL_FAILED, What.GIVING_UP])


@pytest.mark.parametrize("receipt", ACKNOWLEDGEMENTS)
def test_with_all_an_acknowledgement_stops_nobody_and_counts_in_the_end(receipt: Receipt) -> None:
    story = on_all(EMAIL, SMS)
    story.is_sent(EMAIL)

    story.hears(receipt, EMAIL)

    assert (story.status, asked(story)) == (N.QUEUED, [SMS])

    story.gives_up(SMS)
    assert story.status is N.DELIVERED


def test_with_all_an_acknowledgement_after_the_end_counts() -> None:
    story = on_all(EMAIL, SMS)
    story.is_sent(EMAIL)
    story.is_sent(SMS)

    story.hears(Receipt.DELIVERED, SMS)

    assert story.status is N.DELIVERED


def test_with_all_a_channel_of_which_nobody_knows_waits_for_the_others() -> None:
    story = on_all(EMAIL, SMS, on_ambiguous=OnAmbiguous.HOLD)

    story.ends(K.AMBIGUOUS, EMAIL)

    assert (story.status, story.standing(EMAIL), asked(story)) == (N.QUEUED, D.UNKNOWN, [SMS])

    story.gives_up(SMS)
    assert story.status is N.UNKNOWN


def test_with_all_who_wants_it_nowhere_is_skipped_and_who_wants_it_somewhere_is_not() -> None:
    story = on_all(EMAIL, SMS)

    story.ends(K.PERMANENT, EMAIL, withheld=True, reason=Why.OPTED_OUT)

    assert (story.status, asked(story)) == (N.QUEUED, [SMS])

    story.ends(K.PERMANENT, SMS, withheld=True, reason=Why.OPTED_OUT)
    assert story.status is N.SKIPPED


def test_with_all_what_expires_on_one_channel_stays_sent_by_another() -> None:
    story = on_all(EMAIL, SMS)
    story.is_sent(EMAIL)
    story.ends(K.THROTTLED, SMS, retry_after_seconds=90_000.0)

    story.look(after_seconds=86_400)

    assert (story.status, story.standing(SMS)) == (N.SENT, D.CANCELLED)


def test_with_all_a_late_success_of_an_older_epoch_is_not_forgotten_when_the_rest_fails() -> None:
    story = on_all(EMAIL, SMS, on_ambiguous=OnAmbiguous.HOLD)
    lost = story.claim(EMAIL)
    held = story.delivery(EMAIL)
    story.happens(story.take_over(EMAIL))
    story.gives_up(SMS)
    story.happens(Replayed(by="ops", window_seconds=3_600))
    story.happens(routed(SMS, strategy=Strategy.ALL))

    story.happens(story.attempt(held, lost, K.ACCEPTED))
    story.gives_up(SMS)

    assert (story.status, story.standing(EMAIL), story.standing(SMS)) == (N.SENT, D.SENT, D.FAILED)


def test_escalation_asks_the_next_channel_only_when_nobody_acknowledged_in_time() -> None:
    story = escalating(EMAIL, SMS)
    story.is_sent(EMAIL)

    (waits,) = owed(story.saga, story.now)
    early = story.look(after_seconds=59.9)
    story.look(after_seconds=0.1)

    assert isinstance(waits, LookOwed)
    assert (waits.channel, waits.due_at) == (EMAIL, story.now)
    assert not early.changed
    assert (story.status, story.standing(EMAIL), asked(story)) == (N.QUEUED, D.SENT, [SMS])
    assert story.told == [What.FALLING_BACK, What.ROUTED]


def test_escalation_goes_on_at_once_where_a_channel_fails() -> None:
    story = escalating(EMAIL, SMS)

    story.gives_up(EMAIL)

    assert asked(story) == [SMS]


@pytest.mark.parametrize("receipt", ACKNOWLEDGEMENTS)
def test_escalation_ends_with_an_acknowledgement_on_any_channel(receipt: Receipt) -> None:
    story = escalating(EMAIL, SMS, WEBSOCKET)
    story.is_sent(EMAIL)
    story.look(after_seconds=60)
    story.claim(SMS)

    story.hears(receipt, EMAIL)

    assert (story.status, story.standing(SMS)) == (N.DELIVERED, D.CANCELLED)
    assert (owed(story.saga, story.now), next_look(story.saga, story.now)) == ([], None)


def test_escalation_waits_after_the_last_channel_too_and_then_it_was_sent() -> None:
    story = escalating(EMAIL)
    story.is_sent(EMAIL)
    assert not is_final(story.saga)

    story.look(after_seconds=60)

    assert (story.status, is_final(story.saga), story.told) == (N.SENT, True, [What.FALLING_BACK])


def test_escalation_is_not_called_off_by_a_late_success_which_nobody_has_seen_yet() -> None:
    story = escalating(EMAIL, SMS, retry_seconds=())
    lost = story.claim(EMAIL)
    held = story.delivery(EMAIL)
    story.happens(story.take_over(EMAIL))
    assert asked(story) == [SMS]

    story.happens(story.attempt(held, lost, K.ACCEPTED))

    assert (story.status, story.standing(EMAIL), asked(story)) == (N.QUEUED, D.SENT, [SMS])

    story.is_sent(SMS)
    assert story.status is N.SENT
    assert [story.delivery(channel).deadline for channel in (EMAIL, SMS)] == [None, story.now + timedelta(seconds=60)]


def superseded(story: Story, channel: Channel = EMAIL) -> None:
    story.ends(K.PERMANENT, channel, withheld=True, reason=Why.SUPERSEDED)


@pytest.mark.parametrize("strategy", Strategy)
def test_what_a_newer_notification_replaces_is_skipped_at_once_on_every_channel(strategy: Strategy) -> None:
    story = Story(EMAIL, SMS, strategy=strategy)

    superseded(story)

    assert (story.status, story.saga.reason) == (N.SKIPPED, Why.SUPERSEDED)
    assert (owed(story.saga, story.now), story.told) == ([], [What.WITHHELD, What.SKIPPED])


def test_what_is_replaced_after_a_channel_has_failed_is_skipped_too() -> None:
    story = Story(EMAIL, SMS, WEBSOCKET)
    story.gives_up(EMAIL)

    superseded(story, SMS)

    assert (story.status, story.saga.delivery(WEBSOCKET)) == (N.SKIPPED, None)


def test_what_was_sent_before_it_was_replaced_stays_sent() -> None:
    story = on_all(EMAIL, SMS)
    story.is_sent(EMAIL)

    superseded(story, SMS)

    assert story.status is N.SENT


@pytest.mark.parametrize(("outcome", "status"), [(K.ACCEPTED, N.SENT), (K.PERMANENT, N.SKIPPED)])
def test_a_call_under_way_while_it_is_replaced_is_waited_for(outcome: OutcomeKind, status: NotificationStatus) -> None:
    story = on_all(EMAIL, SMS)
    token = story.claim(SMS)

    superseded(story, EMAIL)
    assert (story.status, story.standing(SMS)) == (N.QUEUED, D.SENDING)

    story.happens(story.record(token, outcome, SMS))
    assert story.status is status


def test_what_may_have_been_sent_before_it_was_replaced_is_unknown() -> None:
    story = Story(EMAIL, SMS)
    story.claim()
    story.take_over()
    token = story.delivery().token
    assert token is not None

    story.happens(story.record(token, K.PERMANENT, withheld=True, reason=Why.SUPERSEDED))

    assert (story.status, story.saga.delivery(SMS)) == (N.UNKNOWN, None)


@pytest.mark.parametrize(
    ("by_workflow", "own_hours", "hours"),
    [(None, None, 24), (2, None, 2), (100, None, 100), (None, 3, 3), (2, 3, 2), (100, 3, 3)],
)
def test_of_two_expiries_the_earlier_one_counts_and_without_any_it_is_a_day(
    by_workflow: float | None, own_hours: float | None, hours: float
) -> None:
    story = Story(saga=pending(expires_at=NOON + timedelta(hours=own_hours or 24)))

    story.happens(
        routed(
            EMAIL,
            expires_after_seconds=by_workflow * 3_600 if by_workflow else None,
            has_own_expiry=own_hours is not None,
        )
    )

    assert story.saga.expires_at == NOON + timedelta(hours=hours)


def test_what_its_workflow_lets_expire_before_it_is_routed_is_sent_to_nobody() -> None:
    story = Story(saga=pending())
    story.now += timedelta(seconds=61)

    story.happens(routed(EMAIL, expires_after_seconds=60))

    assert (story.status, story.saga.deliveries) == (N.EXPIRED, ())


def test_a_replay_brings_its_own_time() -> None:
    story = Story(EMAIL)
    story.now += timedelta(hours=30)
    story.gives_up()
    story.happens(Compensated())
    story.happens(Replayed(by="ops", window_seconds=3_600))

    story.happens(routed(EMAIL, expires_after_seconds=60))

    assert (story.status, story.saga.expires_at) == (N.QUEUED, story.now + timedelta(hours=1))


def test_why_another_provider_was_asked_is_told_before_what_it_said() -> None:
    story = Story(EMAIL)

    decision = story.happens(story.record(story.claim(), K.TRANSIENT, choice="the first provider is being left alone"))

    chosen = decision.entries[0]
    assert story.told == [What.PROVIDER_CHOSEN, What.RETRYING]
    assert (chosen.channel, chosen.why) == (EMAIL, "the first provider is being left alone")


def test_a_copy_of_an_outcome_does_not_tell_again_why_its_provider_was_asked() -> None:
    story = Story(EMAIL)
    attempt = story.ends(K.ACCEPTED, choice="the first provider is being left alone")

    assert not story.happens(attempt).changed
