"""The later fields of events, those for many users, and notifications on one channel, as they are read."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.ingest.direct import EVENT_TYPE, read_addressed, read_send
from functions.ingest.documents import MAX_USERS
from functions.ingest.fields import MAX_DAYS_AHEAD
from functions.ingest.posting_operations import POSTING
from functions.ingest.requests import is_of_many, read
from shared.errors import Refused
from shared.folding import as_wished
from shared.headers import lowered
from shared.operations import JSON, Operation
from shared.saga import OnAmbiguous, Plan, Routed
from shared.statuses import Channel, PushService
from shared.submissions import FanOut, Submission
from shared.timestamps import write_timestamp
from shared.wishes import Priority, Wishes

EVENT = {"event_type": "sale", "user_id": 1, "data": {"message": "Hi"}}
CLOUD = {"specversion": "1.0", "id": "e", "source": "/shop", "type": "sale", "data": {"message": "Hi", "user_id": 1}}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
LATER = {"send_at": "2026-12-01T10:00:00Z", "expires_at": "2099-12-01T10:00:00Z", "collapse_key": "k"}


def posted(document: Any, headers: dict[str, str] | None = None) -> Any:
    (item,) = read(headers or {}, json.dumps(document).encode())
    return item


def addressed(**changed: Any) -> Submission:
    document = {"type": "email", "recipient": "a@example.test", "subject": "S", "message": "M", **changed}
    kept = {name: value for name, value in document.items() if value is not ...}
    return read_addressed(json.dumps(kept).encode(), lowered({}), "acme")


def in_days(days: float) -> str:
    return write_timestamp(datetime.now(UTC) + timedelta(days=days))


def test_both_forms_of_an_event_say_the_same_about_when_and_how() -> None:
    plain = posted({**EVENT, "id": "e", "source": "/shop", "on_ambiguous": "hold", "priority": "high", **LATER})
    extensions = {
        "sendat": LATER["send_at"],
        "expirytime": LATER["expires_at"],
        "collapsekey": "k",
        "onambiguous": "hold",
        "priority": "high",
    }

    assert posted({**CLOUD, **extensions}, STRUCTURED) == plain
    assert plain.wishes == Wishes(on_ambiguous=OnAmbiguous.HOLD, priority=Priority.HIGH)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"send_at": "tomorrow"}, "send_at"),
        ({"send_at": in_days(MAX_DAYS_AHEAD + 1)}, "send_at"),
        ({"send_at": in_days(2), "expires_at": in_days(1)}, "expires_at"),
        ({"on_ambiguous": "maybe"}, "on_ambiguous"),
        ({"priority": "urgent"}, "priority"),
        ({"priority": 1}, "priority"),
    ],
)
def test_a_wrong_wish_is_refused_by_the_name_that_it_has_there(changed: dict[str, Any], field: str) -> None:
    theirs = {"send_at": "sendat", "expires_at": "expirytime", "on_ambiguous": "onambiguous", "priority": "priority"}

    with pytest.raises(Refused) as plain:
        posted({**EVENT, **changed})
    with pytest.raises(Refused) as cloud:
        posted({**CLOUD, **{theirs[name]: value for name, value in changed.items()}}, STRUCTURED)

    assert (plain.value.status, plain.value.field) == (422, field)
    assert (cloud.value.status, cloud.value.field) == (422, theirs[field])


def test_a_time_within_a_year_is_taken() -> None:
    assert posted({**EVENT, "send_at": in_days(365)}).send_at is not None


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"[]", True),
        ({}, b" \r\n\t[1]", True),
        ({}, b"{}", False),
        ({}, b"", False),
        (BATCHED, b"{}", True),
        (STRUCTURED, b"[]", False),
        ({"ce-id": "1", "ce-type": "a", "ce-source": "b", "ce-specversion": "1.0"}, b"[]", False),
    ],
)
def test_an_array_is_answered_as_many(headers: dict[str, str], body: bytes, expected: bool) -> None:
    assert is_of_many(lowered(headers), body) is expected


def test_an_event_for_many_is_each_users_own_but_for_the_user() -> None:
    item = posted({"event_type": "sale", "id": "e", "user_ids": [1, "2", 1], "data": {"message": "Hi"}, **LATER})

    assert isinstance(item, FanOut)
    assert item.user_ids == ("1", "2")
    assert (item.event.key, item.event.user_id, item.event.collapse_key) == ("e", "", "k")


def test_a_cloudevent_is_for_many_where_its_data_says_so_and_nothing_names_one() -> None:
    data = {"message": "Hi", "user_ids": ["1", "2"]}

    many = posted({**CLOUD, "data": data}, STRUCTURED)
    plain = posted({"event_type": "sale", "user_ids": [1, 2], "id": "e", "source": "/shop", "data": {"message": "Hi"}})
    one = posted({**CLOUD, "data": data, "subject": "7"}, STRUCTURED)

    assert isinstance(many, FanOut)
    assert (many.id, many.body_hash, many.user_ids) == (plain.id, plain.body_hash, plain.user_ids)
    assert isinstance(one, Submission)
    assert (one.user_id, one.data["user_ids"]) == ("7", ["1", "2"])


def test_the_users_of_one_event_have_a_bound() -> None:
    with pytest.raises(Refused) as refused:
        posted({"event_type": "sale", "user_ids": list(range(MAX_USERS + 1)), "data": {"message": "Hi"}})

    assert (refused.value.status, refused.value.field) == (422, "user_ids")


def test_a_template_for_a_user_is_an_event_of_its_name_on_that_channel_alone() -> None:
    document = {"user_id": 1, "channel": "sms", "template": "receipt", "variables": {"total": 4}}

    item = read_send(json.dumps(document).encode(), lowered({}), "acme")

    assert (item.tenant, item.user_id, item.event_type, item.data) == ("acme", "1", "receipt", {"total": 4})
    assert item.wishes == Wishes(channel=Channel.SMS, template="receipt")


def test_a_message_without_a_template_is_an_event_of_its_own_kind() -> None:
    document = {"user_id": 1, "channel": "sms", "variables": {"message": "Hi"}}

    assert read_send(json.dumps(document).encode(), lowered({}), "acme").event_type == EVENT_TYPE


def test_an_address_is_written_in_its_one_form_and_is_the_same_user_of_its_tenant_and_channel() -> None:
    one, same = addressed(type="sms", recipient="+1 555 123 4567"), addressed(type="sms", recipient="+15551234567")
    other = addressed(type="whatsapp", recipient="+15551234567")

    assert one.recipient is not None
    assert (one.recipient.address, one.user_id) == ("+15551234567", same.user_id)
    assert other.user_id != one.user_id
    assert "555" not in one.user_id + repr(one)


@pytest.mark.parametrize(
    ("token", "provider", "service"),
    [
        ("fcm:token", ..., PushService.FCM),
        ("5f0c8ab6-5dc4-4c0e-9d7e-3f1d6a2b9c01", ..., PushService.ONESIGNAL),
        ("5f0c8ab6-5dc4-4c0e-9d7e-3f1d6a2b9c01", "fcm", PushService.FCM),
    ],
)
def test_whose_a_device_is_is_said_or_seen_by_its_token(token: str, provider: Any, service: PushService) -> None:
    item = addressed(type="push", recipient=token, provider=provider)

    assert item.recipient is not None
    assert item.recipient.service is service


@pytest.mark.parametrize(
    ("channel", "recipient", "subject"),
    [("email", "a@example.test", "Hello  there"), ("push", "t", "Hello  there"), ("sms", "+15551234567", "")],
)
def test_without_a_subject_the_first_line_stands_in_where_one_is_shown(
    channel: str, recipient: str, subject: str
) -> None:
    item = addressed(type=channel, recipient=recipient, subject=..., message="\nHello  there\nand more")

    assert item.data["subject"] == " ".join(subject.split())


def test_a_long_first_line_is_cut() -> None:
    assert len(addressed(subject=..., message="x" * 500).data["subject"]) == 78


def test_an_empty_subject_stays_empty() -> None:
    assert addressed(subject="").data["subject"] == ""


@pytest.mark.parametrize(
    ("wishes", "wanted", "template", "on_ambiguous"),
    [
        (Wishes(priority=Priority.HIGH), (Channel.EMAIL, Channel.SMS), "plain", OnAmbiguous.RESEND),
        (Wishes(channel=Channel.PUSH), (Channel.PUSH,), "plain", OnAmbiguous.RESEND),
        (Wishes(template="receipt"), (Channel.EMAIL, Channel.SMS), "receipt", OnAmbiguous.RESEND),
        (Wishes(on_ambiguous=OnAmbiguous.HOLD), (Channel.EMAIL, Channel.SMS), "plain", OnAmbiguous.HOLD),
    ],
)
def test_a_wish_goes_before_the_workflow_and_leaves_the_rest_to_it(
    wishes: Wishes, wanted: tuple[Channel, ...], template: str, on_ambiguous: OnAmbiguous
) -> None:
    by_workflow = Routed(plan=Plan(category="news"), wanted=(Channel.EMAIL, Channel.SMS))

    routed = as_wished(by_workflow, wishes)

    assert routed.wanted == wanted
    assert (routed.plan.template, routed.plan.on_ambiguous, routed.plan.category) == (template, on_ambiguous, "news")


def test_the_examples_of_the_page_about_sending_are_taken() -> None:
    blocks = re.findall(r"```json\n(.*?)```", Path("docs/sending.md").read_text(), re.DOTALL)

    for block in blocks:
        document = json.loads(block)
        read_it = read_addressed if "type" in document else read_send if "channel" in document else None
        item = read_it(block.encode(), lowered({}), "acme") if read_it else posted(document)
        assert isinstance(item, Submission | FanOut)

    assert len(blocks) == 4


@pytest.mark.parametrize("operation", POSTING, ids=[operation.name for operation in POSTING])
def test_what_an_operation_takes_and_gives_can_be_described_and_its_example_is_taken(operation: Operation) -> None:
    models = [*operation.takes.values(), *[answer.model for answer in operation.gives.values()]]

    schemas = [model.model_json_schema() for model in models if model is not None]

    assert schemas
    taken = operation.takes.get(JSON)
    if taken is not None:
        taken.model_validate(operation.example)
