"""Explanations: every rule tells its own input, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from functions.ingest.explaining import explain, in_words
from functions.ingest.rules_of_routing import CHECKS
from functions.ingest.status_documents import ExplainedRule, NotificationDocument
from shared.saga import Why
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import Channel, NotificationStatus

AT = "2026-05-04T12:00:00.000+00:00"
LATER = "2026-05-04T13:00:00.000+00:00"


def delivery(channel: str, status: str, **more: Any) -> dict[str, Any]:
    fresh = {"reason": "", "epoch": 0, "attempt": 1, "tries": 1, "due_at": None, "deadline": None, "updated_at": AT}
    return {"channel": channel, "status": status, **fresh, **more}


def attempt(number: int, outcome: str, **more: Any) -> dict[str, Any]:
    said = {"ambiguous": False, "code": outcome, "reason": "", "provider": "smtp", "choice": ""}
    times = {"provider_message_id": None, "started_at": AT, "ended_at": AT}
    return {"channel": "email", "epoch": 0, "attempt": number, "outcome": outcome, **said, **times, **more}


STORY: dict[str, Any] = {
    "id": "5b0c2a9e-51f4-5d2f-8a35-2f6f4f1c9d01",
    "user_id": "1",
    "event_type": "order_shipped",
    "source": "events",
    "status": "sent",
    "reason": "the provider took it",
    "correlation_id": None,
    "epoch": 0,
    "created_at": AT,
    "updated_at": AT,
    "send_at": None,
    "expires_at": LATER,
    "has_own_expiry": False,
    "preferred_channel": None,
    "collapse_key": None,
    "cancelled_by": None,
    "digest_id": None,
    "digest_count": None,
    "wishes": {},
    "priority": "normal",
    "plan": {
        "workflow": "event type",
        "category": "news",
        "template": "plain",
        "strategy": "first",
        "steps": ["email", "websocket"],
        "passed": {"sms": Why.NO_ADDRESS.value},
        "template_version": 3,
        "retry_seconds": [2, 4, 8],
        "on_ambiguous": "resend",
        "unless_delivered_within_seconds": {"websocket": 60},
    },
    "passed": {"sms": Why.NO_ADDRESS.value},
    "deliveries": [delivery("email", "sent", reason="the provider took it", attempt=2, tries=2)],
    "attempts": [attempt(1, "transient", code="451", reason="busy"), attempt(2, "accepted", code="250")],
    "timeline": [
        {"at": AT, "what": "routed", "why": "the first usable channel of the workflow", "channel": "email"},
        {"at": AT, "what": "provider_chosen", "why": "smtp-1 is slow", "channel": "email"},
    ],
}
Lines = dict[tuple[str, str], ExplainedRule]


def lines_of(story: Mapping[str, Any]) -> Lines:
    explanation = explain(NotificationDocument.model_validate(story))
    found = {(line.rule, line.about): line for line in explanation.rules}
    assert len(found) == len(explanation.rules), "no line stands there twice"
    return found


def changed(**changes: Any) -> dict[str, Any]:
    """Change one input; `a__b__0` names a place within."""
    story = deepcopy(STORY)
    for path, value in changes.items():
        *way, last = path.split("__")
        place: Any = story
        for step in way:
            place = place[int(step)] if step.isdigit() else place[step]
        place[last] = value
    return story


def differing(story: Mapping[str, Any], other: Mapping[str, Any]) -> set[tuple[str, str]]:
    before, after = lines_of(story), lines_of(other)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


IN_QUIET_HOURS = {"at": AT, "what": "deferred", "why": QUIET_HOURS, "channel": "email", "detail": {"due_at": LATER}}
FIRST, SECOND = "email, attempt 1", "email, attempt 2"
ONE_INPUT: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({"event_type": "order_paid"}, {("workflow", "")}),
    ({"plan__workflow": "tenant"}, {("workflow", "")}),
    ({"plan__workflow": "carillon"}, {("workflow", "")}),
    ({"plan__category": "general"}, {("category", "")}),
    ({"preferred_channel": "email"}, {("preferred channel", "")}),
    ({"preferred_channel": "sms"}, {("preferred channel", "")}),
    ({"plan__passed": {"sms": Why.OPTED_OUT.value}}, {("channel", "sms")}),
    ({"plan__passed": {"sms": Why.SUPPRESSED.value}}, {("channel", "sms")}),
    ({"plan__passed": {"sms": "it is three in the morning there"}}, {("channel", "sms")}),
    ({"plan__passed": {}}, {("channel", "sms")}),
    ({"plan__passed": {"sms": Why.NO_ADDRESS.value, "push": Why.NO_ADDRESS.value}}, {("channel", "push")}),
    ({"plan__strategy": "escalate"}, {("strategy", "")}),
    ({"plan__template": "fancy"}, {("template", "")}),
    ({"plan__template_version": 4}, {("template", "")}),
    ({"plan__template_version": None}, {("template", "")}),
    ({"wishes": {"template": "fancy"}}, {("template", "")}),
    ({"wishes": {"on_ambiguous": "hold"}}, {("in doubt", "")}),
    ({"priority": "low"}, {("priority", "")}),
    ({"wishes": {"priority": "low"}}, {("priority", "")}),
    ({"digest_id": "5b0c2a9e-51f4-5d2f-8a35-2f6f4f1c9d02"}, {("digest", "")}),
    ({"digest_count": 7}, {("digest", "")}),
    ({"timeline": [*STORY["timeline"], IN_QUIET_HOURS]}, {("quiet hours", "email")}),
    ({"plan__retry_seconds": [60]}, {("retries", "")}),
    ({"plan__retry_seconds": []}, {("retries", "")}),
    ({"plan__on_ambiguous": "hold"}, {("in doubt", "")}),
    ({"plan__unless_delivered_within_seconds": {"websocket": 30}}, {("acknowledgement", "websocket")}),
    ({"plan__unless_delivered_within_seconds": {}}, {("acknowledgement", "websocket")}),
    ({"send_at": LATER}, {("send at", "")}),
    ({"expires_at": AT}, {("expiry", "")}),
    ({"has_own_expiry": True}, {("expiry", "")}),
    ({"collapse_key": "order-1"}, {("collapse key", "")}),
    ({"timeline__0__why": "the event prefers this channel"}, {("turn", "email")}),
    ({"attempts__1__choice": "smtp-1 is slow"}, {("provider", SECOND)}),
    ({"attempts__1__provider": "smtp-2"}, {("provider", SECOND)}),
    ({"attempts__1__code": "250 2.0.0"}, {("outcome", SECOND)}),
    ({"attempts__0__reason": "full"}, {("outcome", FIRST), ("again", SECOND)}),
    ({"attempts__0__outcome": "ambiguous"}, {("outcome", FIRST), ("again", SECOND)}),
    ({"deliveries__0__reason": "a late success"}, {("delivery", "email")}),
    ({"deliveries__0__tries": 1}, {("delivery", "email")}),
    ({"deliveries__0__deadline": LATER}, {("deadline", "email")}),
    ({"reason": "sent"}, {("status", "")}),
    ({"epoch": 1}, {("status", "")}),
]


@pytest.mark.parametrize(("change", "lines"), ONE_INPUT, ids=[next(iter(change)) for change, _ in ONE_INPUT])
def test_one_input_more_or_other_changes_its_own_line_and_no_other(
    change: dict[str, Any], lines: set[tuple[str, str]]
) -> None:
    assert differing(STORY, changed(**change)) == lines


@pytest.mark.parametrize("why", [why for _, why in CHECKS])
def test_of_a_channel_every_check_up_to_the_one_that_failed_is_told(why: Why) -> None:
    line = lines_of(changed(plan__passed={"sms": why.value}))["channel", "sms"]

    failed = [name for name, other in CHECKS if other is why]
    assert [name for name, passed in line.inputs.items() if passed is False] == failed
    assert list(line.inputs)[-1:] == failed
    assert (line.verdict, line.why) == ("passed over", why.value)


def test_an_obstacle_that_no_check_knows_is_told_all_the_same() -> None:
    line = lines_of(changed(plan__passed={"sms": "quiet hours"}))["channel", "sms"]

    assert line.inputs == {"is_named": True, "obstacle": "quiet hours"}


def test_of_every_channel_there_is_a_line() -> None:
    found = lines_of(STORY)

    verdicts = {channel: found["channel", channel].verdict for channel in Channel}
    named = {Channel.EMAIL: "usable", Channel.WEBSOCKET: "usable", Channel.SMS: "passed over"}
    assert verdicts == {channel: named.get(channel, "not named") for channel in Channel}


def test_a_usable_channel_that_was_not_asked_tells_why_not() -> None:
    assert lines_of(STORY)["turn", "websocket"].why == "a channel before it was sent"
    assert "called back" in lines_of(changed(status="cancelled"))["turn", "websocket"].why


def test_why_not_yet_is_told_with_the_time_and_the_reason() -> None:
    waiting = delivery("email", "deferred", reason="the breaker of smtp is open", due_at=LATER)

    line = lines_of(changed(deliveries=[waiting]))["wait", "email"]

    assert line.inputs == {"due_at": LATER}
    assert line.why == "it was told to wait: the breaker of smtp is open"


def test_what_a_newer_one_has_replaced_says_so() -> None:
    replaced = changed(collapse_key="order-1", status="skipped", reason=Why.SUPERSEDED.value)

    assert lines_of(replaced)["collapse key", ""].verdict == "replaced"


def test_what_only_the_timeline_tells_becomes_a_rule_by_itself() -> None:
    line = {"at": AT, "what": "held_back", "why": "quiet hours", "channel": "email", "detail": {"until": LATER}}

    told = lines_of(changed(timeline=[*STORY["timeline"], line]))["held back", "email"]

    assert (told.why, told.inputs) == ("quiet hours", {"until": LATER})


def test_what_is_not_routed_yet_is_explained_as_far_as_it_is_known() -> None:
    fresh = changed(status="pending", plan=None, passed={}, deliveries=[], attempts=[], timeline=[], reason="")

    rules = [rule for rule, _ in lines_of(fresh)]

    assert rules == [
        "send at",
        "workflow",
        "preferred channel",
        "priority",
        "expiry",
        "collapse key",
        "cancellation",
        "status",
    ]
    assert lines_of(fresh)["workflow", ""].verdict == "not routed"


@pytest.mark.parametrize("status", NotificationStatus)
def test_every_line_has_a_verdict_and_a_reason(status: NotificationStatus) -> None:
    silent = changed(status=status, attempts=[attempt(1, "permanent", code="", provider="")])
    for story in (changed(status=status, reason=""), silent):
        assert [line for line in lines_of(story).values() if not (line.verdict.strip() and line.why.strip())] == []


def test_in_words_every_rule_is_a_line() -> None:
    explanation = explain(NotificationDocument.model_validate(STORY))

    words = in_words(explanation).splitlines()

    assert words[0] == f"{STORY['id']} is sent."
    assert len(words) == 1 + len(explanation.rules)
    assert "channel (sms): passed over. The user has no address for this channel." in words
