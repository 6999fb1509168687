"""How a notification finds its channel, and what becomes of it where there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.saga import CommandOwed, Compensated, Replayed, Strategy, What, Why, decide, owed
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import NotificationStatus
from tests.unit.sagas import EMAIL, NOON, SMS, WEBSOCKET, Story, pending, routed


def test_the_first_usable_channel_of_the_workflow_is_tried_first() -> None:
    story = Story(WEBSOCKET, EMAIL)

    assert story.status is NotificationStatus.QUEUED
    assert owed(story.saga, NOON) == [CommandOwed(channel=WEBSOCKET, attempt=1, epoch=0)]


def test_the_other_channels_are_asked_nothing_yet() -> None:
    story = Story(WEBSOCKET, EMAIL, SMS)

    assert [delivery.channel for delivery in story.saga.deliveries] == [WEBSOCKET]


def test_the_channel_that_the_event_prefers_goes_first_and_says_so() -> None:
    decision = decide(pending(), routed(WEBSOCKET, EMAIL, preferred=EMAIL), NOON)

    assert decision.saga.plan.steps == (EMAIL, WEBSOCKET)
    assert decision.entries[0].why == "the event prefers this channel"


def test_a_preferred_channel_that_cannot_be_used_leaves_the_workflows_order() -> None:
    facts = routed(WEBSOCKET, SMS, EMAIL, preferred=EMAIL, obstacles={EMAIL: Why.NO_ADDRESS})

    decision = decide(pending(), facts, NOON)

    assert decision.saga.plan.steps == (WEBSOCKET, SMS)
    assert decision.entries[0].why == "the first usable channel of the workflow"


def test_every_channel_that_was_passed_over_is_named_with_the_reason() -> None:
    obstacles = {WEBSOCKET: Why.OPTED_OUT, SMS: Why.NO_ADDRESS}

    decision = decide(pending(), routed(WEBSOCKET, SMS, EMAIL, obstacles=obstacles), NOON)

    passed = {"websocket": "the user does not want this category here", "sms": Why.NO_ADDRESS.value}
    assert decision.saga.plan.passed == passed
    assert decision.entries[0].detail == {"passed": passed}


def test_a_channel_that_the_workflow_does_not_name_is_not_mentioned() -> None:
    decision = decide(pending(), routed(EMAIL, obstacles={SMS: Why.NOT_CONFIGURED}), NOON)

    assert decision.entries[0].detail == {}


@pytest.mark.parametrize("wish", [Why.OPTED_OUT, Why.SUPPRESSED])
def test_a_notification_that_nobody_wants_is_skipped_with_the_reason(wish: Why) -> None:
    decision = decide(pending(), routed(EMAIL, SMS, obstacles={EMAIL: wish, SMS: Why.NOT_CONFIGURED}), NOON)

    assert decision.saga.status is NotificationStatus.SKIPPED
    assert wish.value in decision.saga.reason
    assert [entry.what for entry in decision.entries] == [What.SKIPPED]


@pytest.mark.parametrize("obstacle", [Why.NOT_CONFIGURED, Why.UNKNOWN_USER, Why.NO_ADDRESS])
def test_a_notification_that_can_reach_nobody_goes_to_compensation_with_the_reason(obstacle: Why) -> None:
    decision = decide(pending(), routed(EMAIL, obstacles={EMAIL: obstacle}), NOON)

    assert decision.saga.status is NotificationStatus.COMPENSATING
    assert decision.saga.reason == obstacle.value
    assert [entry.what for entry in decision.entries] == [What.GIVING_UP]


def test_a_wish_about_another_channel_does_not_excuse_a_missing_address() -> None:
    obstacles = {EMAIL: Why.NO_ADDRESS, WEBSOCKET: Why.OPTED_OUT}

    decision = decide(pending(), routed(EMAIL, obstacles=obstacles), NOON)

    assert decision.saga.status is NotificationStatus.COMPENSATING
    assert decision.saga.reason == Why.NO_ADDRESS.value


def test_a_workflow_without_any_channel_goes_to_compensation() -> None:
    decision = decide(pending(), routed(), NOON)

    assert decision.saga.status is NotificationStatus.COMPENSATING
    assert decision.saga.reason == "the workflow names no channel"


def test_a_copy_of_the_accepted_event_routes_nothing_a_second_time() -> None:
    story = Story(EMAIL)

    decision = story.happens(routed(SMS))

    assert not decision.changed
    assert story.saga.plan.steps == (EMAIL,)


def test_a_notification_that_comes_to_its_turn_too_late_expires_and_asks_nobody() -> None:
    decision = decide(pending(expires_at=NOON), routed(EMAIL), NOON)

    assert decision.saga.status is NotificationStatus.EXPIRED
    assert decision.saga.deliveries == ()


def test_a_scheduled_notification_is_not_routed_before_its_time() -> None:
    saga = pending(status=NotificationStatus.SCHEDULED, send_at=NOON + timedelta(hours=1))

    decision = decide(saga, routed(EMAIL), NOON)

    assert not decision.changed


def test_the_workflow_is_pinned_when_the_notification_is_routed() -> None:
    story = Story(EMAIL, retry_seconds=(1,), category="billing", template="invoice")

    plan = story.saga.plan
    assert (plan.category, plan.template, plan.max_tries) == ("billing", "invoice", 2)


def test_a_replayed_notification_is_routed_by_the_workflow_as_it_is_now() -> None:
    story = Story(EMAIL)
    story.gives_up()
    story.happens(Compensated())

    story.happens(Replayed(by="ops", window_seconds=60))
    story.happens(routed(SMS, EMAIL))

    assert story.saga.plan.steps == (SMS, EMAIL)
    assert owed(story.saga, NOON) == [CommandOwed(channel=SMS, attempt=1, epoch=1)]


def test_what_is_routed_in_quiet_hours_is_due_at_their_end_and_says_so() -> None:
    morning = NOON + timedelta(hours=8)

    decision = decide(pending(), routed(EMAIL, left_alone={EMAIL: morning, SMS: NOON}), NOON)

    assert owed(decision.saga, NOON) == [CommandOwed(channel=EMAIL, attempt=1, epoch=0, due_at=morning)]
    told = [(entry.what, entry.why) for entry in decision.entries[1:]]
    assert told == [(What.DEFERRED, QUIET_HOURS)]
    assert decision.entries[1].detail["due_at"] == morning.isoformat(timespec="milliseconds")


def test_quiet_hours_of_one_channel_hold_up_no_other() -> None:
    morning = NOON + timedelta(hours=8)

    decision = decide(pending(), routed(EMAIL, SMS, strategy=Strategy.ALL, left_alone={SMS: morning}), NOON)

    assert [(item.channel, item.due_at) for item in owed(decision.saga, NOON) if isinstance(item, CommandOwed)] == [
        (EMAIL, None),
        (SMS, morning),
    ]
