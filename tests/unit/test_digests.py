"""What a workflow says about digests, when their windows close, what is in them, and what moves their members."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from functions.sweep.digesting import LARGEST_SET, batches
from shared.digests import MOST_CHARACTERS, MOST_EVENTS, Digest, content_of
from shared.folding import content, route
from shared.rendering import LONGEST_TEXT
from shared.saga import (
    AttemptRecorded,
    Closed,
    Collected,
    Compensated,
    Followed,
    Gathered,
    LeftEmpty,
    Looked,
    Occurrence,
    Replayed,
    Saga,
    decide,
    next_look,
    owed,
)
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store.digests import DueDigest, Phase
from shared.store.facts import Facts
from shared.workflows import Workflow
from tests.unit.sagas import EMAIL, ID, NOON, SMS, pending, routed

N = NotificationStatus
DIGEST = UUID(int=7)
LATER = NOON + timedelta(days=2)
JOINS = Collected(digest_id=DIGEST, kept_until=LATER)


def member(status: NotificationStatus = N.SCHEDULED) -> Saga:
    return replace(pending(), digest_id=DIGEST, status=status)


def carrier(status: NotificationStatus = N.SCHEDULED, **more: Any) -> Saga:
    return replace(pending(), status=status, is_digest=True, send_at=NOON, **more)


# what a workflow says


@pytest.mark.parametrize(
    ("digest", "field"),
    [
        ({}, ("digest",)),
        ({"every": 3600, "at": "08:00"}, ("digest",)),
        ({"every": 59}, ("digest", "every")),
        ({"every": 7 * 86_400 + 1}, ("digest", "every")),
        ({"at": "24:00"}, ("digest", "at")),
        ({"at": "8:00"}, ("digest", "at")),
        ({"every": 60, "by": list("abcdef")}, ("digest", "by")),
        ({"every": 60, "by": ["a", "a"]}, ("digest",)),
        ({"every": 60, "by": ["no spaces"]}, ("digest", "by", 0)),
        ({"every": 60, "daily": True}, ("digest", "daily")),
    ],
)
def test_a_rule_that_says_nothing_sensible_is_refused_by_the_name_of_its_field(
    digest: dict[str, Any], field: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as refused:
        Workflow.model_validate({"digest": digest})

    assert refused.value.errors()[0]["loc"] == field


@pytest.mark.parametrize("strategy", [{}, {"strategy": "all"}, {"strategy": "escalate", "escalate_after_seconds": 60}])
def test_a_digest_goes_with_every_strategy(strategy: dict[str, Any]) -> None:
    workflow = Workflow.model_validate({"digest": {"every": 60, "by": ["project_id"]}, **strategy})

    assert workflow.digest == Digest(every=60, by=("project_id",))


@pytest.mark.parametrize(("template", "wanted"), [({}, "digest"), ({"template": "plain"}, "plain")])
def test_a_digest_has_the_words_for_digests_unless_its_workflow_names_others(
    template: dict[str, Any], wanted: str
) -> None:
    assert Workflow.model_validate({"digest": {"every": 60}, **template}).plan_of_digest().template == wanted


# when a window closes


@pytest.mark.parametrize(
    ("digest", "zone", "now", "wanted"),
    [
        ({"every": 90}, None, "2026-05-04T12:00", "2026-05-04T12:01:30"),
        ({"at": "13:00"}, None, "2026-05-04T12:00", "2026-05-04T13:00"),
        ({"at": "08:00"}, None, "2026-05-04T12:00", "2026-05-05T08:00"),
        ({"at": "12:00"}, None, "2026-05-04T12:00", "2026-05-05T12:00"),
        ({"at": "08:00"}, "Europe/Berlin", "2026-05-04T12:00", "2026-05-05T06:00"),
        ({"at": "08:00"}, "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T07:00"),  # the night the clocks go back
        ({"at": "02:30"}, "Europe/Berlin", "2026-10-25T00:45", "2026-10-26T01:30"),  # it was 02:30, and is not again
        ({"at": "02:30"}, "Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:30"),  # there is no 02:30 that night
        ({"at": "23:30"}, "Asia/Tokyo", "2026-05-04T14:00", "2026-05-04T14:30"),
        ({"at": "08:00"}, "Nowhere/At_all", "2026-05-04T12:00", "2026-05-05T08:00"),
        ({"at": "08:00"}, "../etc/passwd", "2026-05-04T12:00", "2026-05-05T08:00"),
    ],
)
def test_a_window_closes_so_long_after_its_first_event_or_at_a_time_of_the_users_day(
    digest: dict[str, Any], zone: str | None, now: str, wanted: str
) -> None:
    began = datetime.fromisoformat(now).replace(tzinfo=UTC)

    closes_at = Digest.model_validate(digest).closes_at(began, zone)

    assert closes_at == datetime.fromisoformat(wanted).replace(tzinfo=UTC)


# what keeps digests apart


def key(by: tuple[str, ...] = (), **changes: Any) -> UUID:
    said = {"tenant": "acme", "user_id": "1", "event_type": "commented", "data": {"project": 1, "message": "a"}}
    return Digest(every=60, by=by).key(**{**said, **changes})


@pytest.mark.parametrize(
    "change", [{"tenant": "other"}, {"user_id": "2"}, {"event_type": "liked"}, {"data": {"project": 2}}, {"data": {}}]
)
def test_digests_are_kept_apart_by_tenant_user_event_type_and_the_named_fields(change: dict[str, Any]) -> None:
    assert key(("project",), **change) != key(("project",))


def test_what_is_not_named_keeps_nothing_apart() -> None:
    assert key(("project",), data={"project": 1, "message": "b"}) == key(("project",))
    assert key(data={"project": 2}) == key()
    assert key(("project",), data={"project": "1"}) != key(("project",))


# what is in it


def test_the_first_events_are_shown_and_the_rest_is_counted() -> None:
    found = content_of(1000, [{"message": str(number)} for number in range(MOST_EVENTS)])

    assert (found["count"], len(found["events"]), found["more"]) == (1000, MOST_EVENTS, 1000 - MOST_EVENTS)
    assert found["message"].splitlines()[-1] == f"- and {1000 - MOST_EVENTS} more"


def test_events_that_are_large_together_are_counted_from_where_they_are_too_many() -> None:
    found = content_of(50, [{"message": "x" * 3_900}] * 50)

    assert 0 < len(found["events"]) < 50
    assert len(str(found["events"])) <= MOST_CHARACTERS
    assert found["more"] == 50 - len(found["events"])


@pytest.mark.parametrize("channel", Channel)
def test_the_largest_digest_fits_into_a_message_on_every_channel(channel: Channel) -> None:
    first = [{"message": "x" * 580}] * MOST_EVENTS
    facts = Facts(
        event_type="commented",
        user_id="1",
        user_name="Ada",
        data=content_of(7_000, first),
        preferred=None,
        workflow={"digest": {"every": 60}},
        obstacles={},
    )
    plan = route(facts, frozenset(Channel), is_digest=True).plan

    words = content(replace(carrier(), plan=plan), channel, facts)

    assert words["subject"] == "Commented: 7000"
    assert words["text"].count("- x") in (3, 100)
    assert len(words["text"]) < LONGEST_TEXT
    assert words["text"].rstrip().endswith(("and 6900 more", "and 6997 more"))


# what moves a member


def test_an_event_waits_in_its_digest_and_lives_as_long_as_it_does() -> None:
    decision = decide(pending(), JOINS, NOON)

    assert (decision.saga.status, decision.saga.digest_id, decision.saga.expires_at) == (N.SCHEDULED, DIGEST, LATER)
    assert (owed(decision.saga, NOON), next_look(decision.saga, NOON)) == ([], LATER)


def test_an_events_own_expiry_goes_before_that_of_its_digest() -> None:
    decision = decide(pending(), replace(JOINS, has_own_expiry=True), NOON)

    assert decision.saga.expires_at == pending().expires_at


def test_what_is_too_late_already_joins_nothing() -> None:
    decision = decide(pending(), replace(JOINS, has_own_expiry=True), NOON + timedelta(days=3))

    assert (decision.saga.status, decision.saga.digest_id) == (N.EXPIRED, None)


def test_a_scheduled_member_is_not_let_go_by_its_own_time() -> None:
    waiting = replace(member(), send_at=NOON - timedelta(hours=1))

    assert not decide(waiting, Looked(), NOON).changed
    assert next_look(waiting, NOON) == waiting.expires_at


@pytest.mark.parametrize(
    ("seen", "after", "status"),
    [
        (Looked(), timedelta(days=2), N.EXPIRED),
        (Gathered(), timedelta(days=2), N.EXPIRED),
        (Gathered(is_superseded=True), timedelta(), N.SKIPPED),
    ],
)
def test_a_member_drops_out_before_its_window_closes(seen: Occurrence, after: timedelta, status: N) -> None:
    decision = decide(member(), seen, NOON + after)

    assert (decision.saga.status, decision.saga.digest_id) == (status, None)


TOKEN = UUID(int=9)
ATTEMPT = AttemptRecorded(channel=EMAIL, epoch=0, attempt=1, token=TOKEN, outcome=OutcomeKind.ACCEPTED)
NOT_ITS_DIGEST: list[Occurrence] = [
    Looked(),
    Gathered(is_superseded=True),
    JOINS,
    routed(EMAIL),
    ATTEMPT,
    Compensated(),
    Replayed(by="somebody", window_seconds=60),
    Closed(1),
    LeftEmpty(),
]


@pytest.mark.parametrize("seen", NOT_ITS_DIGEST)
@pytest.mark.parametrize("status", [N.QUEUED, N.SENT, N.FAILED, N.UNKNOWN, N.EXPIRED])
def test_a_member_in_a_message_is_moved_by_nothing_but_its_digest(status: N, seen: Occurrence) -> None:
    assert not decide(member(status), seen, NOON + timedelta(days=9)).changed
    assert next_look(member(status), NOON) is None


@pytest.mark.parametrize("status", [N.SENT, N.DELIVERED, N.FAILED, N.CANCELLED, N.SKIPPED, N.EXPIRED, N.UNKNOWN])
@pytest.mark.parametrize("before", [N.SCHEDULED, N.QUEUED])
def test_a_member_ends_as_its_digest_with_its_reason(before: N, status: N) -> None:
    decision = decide(member(before), Followed(status, "because"), NOON)

    assert (decision.saga.status, decision.saga.reason) == (status, "with its digest: because")
    assert not decide(decision.saga, Followed(status, "because"), NOON).changed


@pytest.mark.parametrize("status", [N.SCHEDULED, N.PENDING, N.QUEUED, N.COMPENSATING])
def test_a_member_waits_while_its_digest_is_under_way(status: N) -> None:
    assert not decide(member(N.QUEUED), Followed(status, ""), NOON).changed


def test_who_is_no_member_follows_nobody() -> None:
    assert not decide(pending(), Followed(N.SENT, "because"), NOON).changed
    assert not decide(replace(pending(), status=N.SCHEDULED), Gathered(), NOON).changed


# what moves the digest


def test_a_digest_is_let_go_by_the_close_of_its_window_and_by_no_time() -> None:
    assert not decide(carrier(), Looked(), NOON).changed
    assert next_look(carrier(), NOON) == carrier().expires_at

    decision = decide(carrier(), Closed(3), NOON)

    assert decision.saga.status is N.PENDING
    assert decision.entries[0].detail == {"count": 3}
    assert not decide(decision.saga, Closed(3), NOON).changed


def test_a_digest_whose_time_is_over_when_its_window_is_closed_is_not_sent() -> None:
    assert decide(carrier(), Closed(3), NOON + timedelta(days=2)).saga.status is N.EXPIRED


def test_of_nothing_there_is_no_message() -> None:
    assert decide(carrier(N.PENDING), LeftEmpty(), NOON).saga.status is N.SKIPPED
    assert not decide(pending(), LeftEmpty(), NOON).changed
    assert not decide(replace(pending(), status=N.SCHEDULED), Closed(1), NOON).changed


def test_the_expiry_of_a_workflow_counts_from_the_close_of_the_window() -> None:
    late = carrier(N.PENDING, created_at=NOON - timedelta(days=3))

    decision = decide(late, routed(SMS, expires_after_seconds=600), NOON)

    assert (decision.saga.id, decision.saga.status) == (ID, N.QUEUED)
    assert decision.saga.expires_at == NOON + timedelta(seconds=600)


# what is looked at together


def due(joined: int) -> DueDigest:
    return DueDigest(id=UUID(int=joined), phase=Phase.GATHERING, joined=joined, looked_at=NOON)


def test_small_digests_are_gathered_together_and_a_large_one_alone() -> None:
    found = batches([due(400), due(600), due(1), due(LARGEST_SET * 3), due(2)])

    assert [[one.joined for one in batch] for batch in found] == [[400, 600], [1], [LARGEST_SET * 3], [2]]
    assert batches([]) == []
