"""What a notification does when a provider says later that what it had taken did not arrive."""

from __future__ import annotations

import pytest

from shared.saga import CommandOwed, OnAmbiguous, Receipt, Replayed, Strategy, What, Why, owed
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, SMS, WEBSOCKET, Story, routed

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
FAILED = Receipt.FAILED
BOUNCED = "the mailbox is full"


def sent(*steps: Channel, strategy: Strategy = Strategy.FIRST, **plan: float) -> Story:
    """Let the first channel be sent; with `all`, every one."""
    within = {EMAIL: plan["within"]} if plan else {}
    story = Story(*steps, strategy=strategy, retry_seconds=(), unless_delivered_within_seconds=within)
    for channel in steps if strategy is Strategy.ALL else steps[:1]:
        story.is_sent(channel)
    return story


def asked(story: Story) -> list[Channel]:
    return [item.channel for item in owed(story.saga, story.now) if isinstance(item, CommandOwed)]


def test_what_bounces_is_sent_on_the_next_channel() -> None:
    story = sent(EMAIL, SMS)

    story.hears(FAILED, reason=BOUNCED)

    assert (story.status, story.standing(), asked(story)) == (N.QUEUED, D.FAILED, [SMS])
    assert story.told == [What.CHANNEL_FAILED, What.ROUTED]
    assert BOUNCED in story.delivery().reason


def test_what_bounces_on_the_last_channel_is_given_up() -> None:
    story = sent(EMAIL)

    story.hears(FAILED, reason=BOUNCED)

    assert (story.status, story.told) == (N.COMPENSATING, [What.CHANNEL_FAILED, What.GIVING_UP])
    assert BOUNCED in story.saga.reason


def test_what_bounces_after_its_time_is_sent_nowhere_else() -> None:
    story = sent(EMAIL, SMS)
    story.now = story.saga.expires_at

    story.hears(FAILED)

    assert (story.status, story.saga.delivery(SMS)) == (N.COMPENSATING, None)


def test_what_bounces_while_its_acknowledgement_is_waited_for_is_not_waited_for() -> None:
    story = sent(EMAIL, SMS, within=600)

    story.hears(FAILED)

    assert (story.delivery().deadline, asked(story)) == (None, [SMS])


def test_a_bounce_is_folded_once() -> None:
    story = sent(EMAIL, SMS)
    story.hears(FAILED)

    assert not story.hears(FAILED).changed


@pytest.mark.parametrize("receipt", [Receipt.DELIVERED, Receipt.READ])
def test_a_bounce_after_an_acknowledgement_changes_nothing(receipt: Receipt) -> None:
    story = sent(EMAIL, SMS)
    story.hears(receipt)

    assert not story.hears(FAILED).changed


@pytest.mark.parametrize("receipt", [Receipt.DELIVERED, Receipt.READ])
def test_an_acknowledgement_after_a_bounce_does_not_undo_it(receipt: Receipt) -> None:
    story = sent(EMAIL, SMS)
    story.hears(FAILED)

    assert not story.hears(receipt).changed


@pytest.mark.parametrize("epoch", [-1, 1])
def test_a_bounce_of_another_epoch_changes_nothing(epoch: int) -> None:
    story = sent(EMAIL, SMS)

    assert not story.hears(FAILED, epoch=epoch).changed


@pytest.mark.parametrize("outcome", [K.TRANSIENT, K.THROTTLED])
def test_a_bounce_of_what_was_not_sent_changes_nothing(outcome: OutcomeKind) -> None:
    story = Story(EMAIL, SMS)
    assert not story.hears(FAILED).changed

    story.ends(outcome)
    assert not story.hears(FAILED).changed


def test_a_bounce_before_our_own_record_counts_when_the_success_is_folded() -> None:
    story = Story(EMAIL, SMS)
    token = story.claim()
    assert not story.hears(FAILED).changed

    story.happens(story.record(token, K.ACCEPTED, undelivered=BOUNCED))

    assert (story.status, story.standing(), asked(story)) == (N.QUEUED, D.FAILED, [SMS])
    assert BOUNCED in story.delivery().reason


def test_a_copy_of_the_success_does_not_undo_the_bounce() -> None:
    story = Story(EMAIL, SMS)
    success = story.record(story.claim(), K.ACCEPTED)
    story.happens(success)
    story.hears(FAILED)

    copy = story.happens(story.attempt(story.delivery(), success.token, K.ACCEPTED, undelivered=BOUNCED))

    assert (copy.changed, story.standing()) == (False, D.FAILED)


def test_the_success_of_a_lost_attempt_that_bounced_does_not_stop_the_one_under_way() -> None:
    story = Story(EMAIL)
    lost = story.claim()
    held = story.delivery()
    story.take_over()

    late = story.happens(story.attempt(held, lost, K.ACCEPTED, undelivered=BOUNCED))

    assert (late.changed, story.standing()) == (False, D.SENDING)


def test_a_bounce_of_what_nobody_knows_is_told_once_and_leaves_it_to_a_person() -> None:
    story = Story(EMAIL, on_ambiguous=OnAmbiguous.HOLD)
    story.ends(K.AMBIGUOUS)

    story.hears(FAILED, reason=BOUNCED)

    assert (story.status, story.standing(), story.told) == (N.UNKNOWN, D.UNKNOWN, [What.AMBIGUOUS])
    assert BOUNCED in story.delivery().reason
    assert not story.hears(FAILED, reason=BOUNCED).changed


def test_with_all_only_the_channel_that_bounced_has_failed() -> None:
    story = sent(EMAIL, SMS, strategy=Strategy.ALL)

    story.hears(FAILED, EMAIL)

    assert (story.status, story.standing(EMAIL), story.standing(SMS)) == (N.SENT, D.FAILED, D.SENT)
    story.hears(FAILED, SMS)
    assert story.status is N.COMPENSATING


def test_with_all_a_bounce_while_others_are_under_way_waits_for_them() -> None:
    story = Story(EMAIL, SMS, strategy=Strategy.ALL)
    story.is_sent(EMAIL)

    story.hears(FAILED, EMAIL)

    assert (story.status, asked(story)) == (N.QUEUED, [SMS])
    story.gives_up(SMS)
    assert story.status is N.COMPENSATING


def test_a_bounce_behind_a_channel_that_has_reached_the_person_asks_nobody_else() -> None:
    story = sent(EMAIL, SMS, WEBSOCKET, within=60)
    story.look(after_seconds=60)
    story.is_sent(SMS)

    story.hears(FAILED, EMAIL)

    assert (story.status, story.standing(EMAIL), asked(story)) == (N.SENT, D.FAILED, [])


def test_a_bounce_on_the_last_channel_leaves_what_was_sent_on_an_earlier_one() -> None:
    story = sent(EMAIL, SMS, within=60)
    story.look(after_seconds=60)
    story.is_sent(SMS)

    story.hears(FAILED, SMS)

    assert (story.status, story.standing(SMS)) == (N.SENT, D.FAILED)


def test_a_bounce_on_one_channel_of_what_was_acknowledged_on_another_is_only_told() -> None:
    story = sent(EMAIL, SMS, strategy=Strategy.ALL)
    story.hears(Receipt.READ, SMS)

    story.hears(FAILED, EMAIL)

    assert (story.status, story.told) == (N.DELIVERED, [What.CHANNEL_FAILED])


def test_a_late_success_counts_though_nobody_wanted_the_replay() -> None:
    story = Story(EMAIL, on_ambiguous=OnAmbiguous.HOLD)
    lost = story.claim()
    held = story.delivery()
    story.happens(story.take_over())
    story.happens(Replayed(by="ops", window_seconds=3_600))
    story.happens(routed(EMAIL, obstacles={EMAIL: Why.OPTED_OUT}))
    assert story.status is N.SKIPPED

    story.happens(story.attempt(held, lost, K.ACCEPTED))

    assert (story.status, story.standing()) == (N.SENT, D.SENT)
