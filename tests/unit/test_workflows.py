"""A tenant's rule for an event type."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.folding import read_workflow
from shared.saga import OnAmbiguous, Plan, Strategy
from shared.statuses import Channel
from shared.workflows import DEFAULT, Workflow


def test_without_a_rule_every_channel_is_wanted_in_the_order_of_the_list() -> None:
    assert DEFAULT.wanted(None) == tuple(Channel)


def test_without_a_rule_it_is_tried_three_more_times_and_may_be_sent_again() -> None:
    assert DEFAULT.plan() == Plan(retry_seconds=(2, 4, 8), on_ambiguous=OnAmbiguous.RESEND)


def test_a_workflow_wants_its_channels_in_its_order() -> None:
    workflow = Workflow(channels=(Channel.SMS, Channel.EMAIL))

    assert workflow.wanted(None) == (Channel.SMS, Channel.EMAIL)


def test_a_preferred_channel_is_wanted_even_if_the_workflow_does_not_name_it() -> None:
    workflow = Workflow(channels=(Channel.EMAIL,))

    assert workflow.wanted(Channel.PUSH) == (Channel.PUSH, Channel.EMAIL)
    assert workflow.wanted(Channel.EMAIL) == (Channel.EMAIL,)


def test_a_workflow_says_everything_that_the_plan_is_made_of() -> None:
    workflow = Workflow.model_validate(
        {
            "category": "billing",
            "template": "plain",
            "channels": ["websocket", "email"],
            "retry_seconds": [1, 2.5],
            "on_ambiguous": "hold",
            "unless_delivered_within_seconds": {"websocket": 30},
        }
    )

    assert workflow.plan() == Plan(
        category="billing",
        retry_seconds=(1, 2.5),
        on_ambiguous=OnAmbiguous.HOLD,
        unless_delivered_within_seconds={Channel.WEBSOCKET: 30},
    )


@pytest.mark.parametrize(
    "definition",
    [
        {"channels": ["pigeon"]},
        {"channel": "email"},
        {"category": "Billing"},
        {"category": ""},
        {"category": "a" * 65},
        {"retry_seconds": [0]},
        {"retry_seconds": [-1]},
        {"retry_seconds": [86_401]},
        {"retry_seconds": ["nan"]},
        {"retry_seconds": ["inf"]},
        {"retry_seconds": [1] * 11},
        {"on_ambiguous": "guess"},
        {"unless_delivered_within_seconds": {"websocket": 0}},
        {"unless_delivered_within_seconds": {"pigeon": 5}},
        {"strategy": "some"},
        {"strategy": "escalate"},
        {"escalate_after_seconds": 60},
        {"strategy": "all", "escalate_after_seconds": 60},
        {"strategy": "escalate", "escalate_after_seconds": 0},
        {"strategy": "all", "unless_delivered_within_seconds": {"email": 5}},
        {"expires_after_seconds": 59},
        {"expires_after_seconds": 604_801},
    ],
)
def test_a_workflow_out_of_bounds_is_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Workflow.model_validate(definition)


@pytest.mark.parametrize("seconds", [60, 604_800])
def test_a_workflow_may_let_its_notifications_live_from_a_minute_to_a_week(seconds: int) -> None:
    assert Workflow(expires_after_seconds=seconds).expires_after_seconds == seconds


def test_escalation_waits_as_long_on_every_channel_unless_the_workflow_names_another_time_for_one() -> None:
    definition = {"strategy": "escalate", "escalate_after_seconds": 60}

    plan = Workflow.model_validate({**definition, "unless_delivered_within_seconds": {"email": 600}}).plan()

    assert plan.strategy is Strategy.ESCALATE
    assert set(plan.unless_delivered_within_seconds) == set(Channel)
    assert (plan.unless_delivered_within_seconds[Channel.EMAIL], plan.unless_delivered_within_seconds[Channel.SMS]) == (
        600,
        60,
    )


def test_a_workflow_that_a_newer_version_wrote_does_not_stop_the_notification() -> None:
    assert read_workflow({"channels": ["email"], "strategy_of_tomorrow": True}) == DEFAULT


@pytest.mark.parametrize("definition", [None, {}])
def test_no_workflow_is_the_default_one(definition: dict[str, Any] | None) -> None:
    assert read_workflow(definition) == DEFAULT
