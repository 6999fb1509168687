"""What clients may submit, in the forms they may submit it, and how a wrong one is refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.ingest.requests import Item, Submission, cloud_event, plain_event, read
from shared.cloudevents import ExternalEvent
from shared.errors import Refused
from shared.problems import FieldsRefused, problem
from shared.statuses import Channel

QUICK = settings(max_examples=60, deadline=None)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON_HEADERS = {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}


def plain(**changed: Any) -> dict[str, Any]:
    event = {"event_type": "order_created", "user_id": 1, "data": {"message": "Hi"}}
    return {name: value for name, value in {**event, **changed}.items() if value is not ...}


def in_cloud(**changed: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/shop",
        "type": "order_created",
        "data": {"message": "Hi", "user_id": 1},
    }
    return {name: value for name, value in {**event, **changed}.items() if value is not ...}


def submitted(document: dict[str, Any], headers: dict[str, str] | None = None) -> Submission:
    return plain_event(document, headers or {})


def submitted_in_cloud(headers: dict[str, str] | None = None, **changed: Any) -> Submission:
    [submission] = read(STRUCTURED | (headers or {}), json.dumps(in_cloud(**changed)).encode())
    assert isinstance(submission, Submission)
    return submission


def refusal(document: Any, headers: dict[str, str] | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        plain_event(document, headers or {})
    return caught.value


def answer_to(headers: dict[str, str], body: bytes) -> list[Item] | Refused:
    try:
        return read(headers, body)
    except Refused as refused:
        return refused


def refusal_in_cloud(**changed: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(STRUCTURED, json.dumps(in_cloud(**changed)).encode())
    return caught.value


def test_a_plain_event_is_read_whole() -> None:
    document = plain(
        timestamp="2026-11-20T11:00:00+01:00",
        data={"message": "Hi", "preferred_channel": "whatsapp", "order": {"total": 4}},
        id="o-1",
        source="/shop",
    )

    submission = plain_event(document, {"X-Correlation-ID": "c-1", "traceparent": TRACE}, tenant="acme")

    assert submission == Submission(
        tenant="acme",
        source="/shop",
        key="o-1",
        user_id="1",
        event_type="order_created",
        event_time=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
        data={"message": "Hi", "preferred_channel": "whatsapp", "order": {"total": 4}},
        preferred_channel=Channel.WHATSAPP,
        correlation_id="c-1",
        traceparent=TRACE,
        body_hash=submission.body_hash,
    )
    assert len(submission.body_hash) == 32


def test_an_event_without_anything_to_say_is_refused() -> None:
    refused = refusal({"event_type": "order_created", "user_id": "x", "data": {}})

    assert (refused.status, refused.field) == (422, "data.message")


@pytest.mark.parametrize("user_id", [1, "1"])
def test_user_1_is_the_same_user_as_a_number_and_as_text(user_id: Any) -> None:
    submission = submitted(plain(user_id=user_id))

    assert submission.user_id == "1"
    assert submission.body_hash == submitted(plain(user_id="1")).body_hash


@pytest.mark.parametrize("user_id", [True, 1.0, None, "", "  ", "a\nb", "a\x85b", "x" * 129, [], {}, ...])
def test_a_wrong_user_id_is_refused_by_name(user_id: Any) -> None:
    refused = refusal(plain(user_id=user_id))

    assert (refused.status, refused.field) == (422, "user_id")


@pytest.mark.parametrize("event_type", ["", "order created", "x" * 129, "ü", "a\n", 5, None, ..., []])
def test_a_wrong_event_type_is_refused_by_name(event_type: Any) -> None:
    refused = refusal(plain(event_type=event_type))

    assert (refused.status, refused.field) == (422, "event_type")


@pytest.mark.parametrize("event_type", ["x" * 128, "order.created", "com.example:order/created-2_x"])
def test_an_event_type_as_people_name_them_is_taken(event_type: str) -> None:
    assert submitted(plain(event_type=event_type)).event_type == event_type


@pytest.mark.parametrize("timestamp", ["yesterday", "2026-11-20", "2026-11-20T10:00:00", 1763632800, "", True, {}])
def test_a_wrong_timestamp_is_refused_by_name(timestamp: Any) -> None:
    refused = refusal(plain(timestamp=timestamp))

    assert (refused.status, refused.field) == (422, "timestamp")


def test_an_event_without_a_timestamp_is_taken() -> None:
    assert submitted(plain()).event_time is None


@pytest.mark.parametrize("data", [None, [], "text", 5, ...])
def test_data_that_is_no_object_is_refused_by_name(data: Any) -> None:
    assert refusal(plain(data=data)).field == "data"


@pytest.mark.parametrize("message", ["", "   ", "x" * 65_537, 5, None, ["Hi"]])
def test_a_wrong_message_is_refused_by_name(message: Any) -> None:
    refused = refusal(plain(data={"message": message}))

    assert (refused.status, refused.field) == (422, "data.message")


@pytest.mark.parametrize("channel", ["fax", "Email", "", 1, [], {}])
def test_an_unknown_channel_is_refused_by_name(channel: Any) -> None:
    refused = refusal(plain(data={"message": "Hi", "preferred_channel": channel}))

    assert (refused.status, refused.field) == (422, "data.preferred_channel")


@pytest.mark.parametrize("channel", list(Channel))
def test_each_of_the_six_channels_may_be_preferred(channel: Channel) -> None:
    assert submitted(plain(data={"message": "Hi", "preferred_channel": channel.value})).preferred_channel is channel


def test_every_wrong_field_is_named_at_once() -> None:
    refused = refusal({"user_id": True, "data": {"preferred_channel": "fax"}})

    assert isinstance(refused, FieldsRefused)
    fields = {field for field, _ in refused.errors}
    assert fields == {"event_type", "user_id", "data.message", "data.preferred_channel"}


def test_a_refusal_repeats_no_content() -> None:
    refused = refusal(plain(user_id=["someone@example.test"], data={"message": {"someone@example.test": 1}}))

    assert "example.test" not in json.dumps(problem(refused))


@pytest.mark.parametrize("document", [[], None, "text", 5, True])
def test_an_event_that_is_no_object_is_refused(document: Any) -> None:
    refused = refusal(document)

    assert (refused.status, refused.field) == (422, "body")


def test_an_event_without_id_or_key_is_new_each_time() -> None:
    assert submitted(plain()).key is None


def test_the_idempotency_key_goes_before_the_events_own_id() -> None:
    submission = submitted(plain(id="o-1", source="/shop"), {"Idempotency-Key": "k-1"})

    assert (submission.source, submission.key) == ("idempotency-key", "k-1")


@pytest.mark.parametrize("name", ["id", "source"])
@pytest.mark.parametrize("value", ["", "a\x00b", "x" * 513, [], True])
def test_a_wrong_id_or_source_is_refused_by_name(name: str, value: Any) -> None:
    assert refusal(plain(**{name: value})).field == name


def test_a_source_is_measured_in_bytes_as_the_index_does() -> None:
    assert refusal(plain(source="é" * 257)).field == "source"
    assert submitted(plain(source="é" * 256)).source == "é" * 256


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Idempotency-Key", ""),
        ("Idempotency-Key", "x" * 256),
        ("Idempotency-Key", "a b"),
        ("Idempotency-Key", "caf\xe9"),
        ("X-Correlation-ID", ""),
        ("X-Correlation-ID", "x" * 129),
        ("X-Correlation-ID", "a\tb"),
    ],
)
def test_a_wrong_header_is_refused_by_name_and_not_repeated(name: str, value: str) -> None:
    refused = refusal(plain(), {name: value})

    assert (refused.status, refused.field) == (400, name)
    assert not value or value not in refused.detail


def test_a_broken_trace_refuses_nothing() -> None:
    assert submitted(plain(), {"traceparent": "nonsense"}).traceparent is None


def test_the_same_event_written_differently_is_the_same() -> None:
    one = b'{"event_type":"a","user_id":1,"data":{"message":"\\u00e9","x":{"b":1,"a":2}}}'
    other = '{ "data": {"x": {"a":2,"b":1}, "message": "é"},\n "user_id": "1", "event_type": "a" }'.encode()

    hashes = {s.body_hash for body in (one, other) for s in read(JSON_HEADERS, body) if isinstance(s, Submission)}

    assert len(hashes) == 1


def test_a_repetition_with_a_new_timestamp_is_the_same_event() -> None:
    assert submitted(plain(timestamp="2026-11-20T10:00:00Z")).body_hash == submitted(plain()).body_hash


@pytest.mark.parametrize("changed", [{"event_type": "b"}, {"user_id": 2}, {"data": {"message": "Hi", "x": 1}}])
def test_another_content_has_another_hash(changed: dict[str, Any]) -> None:
    assert submitted(plain(**changed)).body_hash != submitted(plain()).body_hash


def test_a_cloud_event_makes_the_record_of_the_plain_event() -> None:
    from_cloud = submitted_in_cloud(time="2026-11-20T10:00:00Z")
    from_plain = submitted(plain(id="e1", source="/shop", timestamp="2026-11-20T10:00:00Z"))

    assert from_cloud == from_plain


def test_the_subject_of_a_cloud_event_is_the_user_unless_its_data_names_one() -> None:
    assert submitted_in_cloud(subject="7", data={"message": "Hi"}).user_id == "7"
    assert submitted_in_cloud(subject="7").user_id == "1"


def test_a_cloud_event_is_known_by_its_source_and_id_whatever_key_the_request_has() -> None:
    submission = submitted_in_cloud({"Idempotency-Key": "k-1"})

    assert (submission.source, submission.key) == ("/shop", "e1")


def test_a_cloud_event_carries_the_correlation_of_the_request_before_its_own() -> None:
    assert submitted_in_cloud(correlationid="own").correlation_id == "own"
    assert submitted_in_cloud({"X-Correlation-ID": "request"}, correlationid="own").correlation_id == "request"
    assert submitted_in_cloud(correlationid="no good").correlation_id is None


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": "order created"}, "type"),
        ({"data": ...}, "data"),
        ({"data": [1]}, "data"),
        ({"data": {"user_id": 1}}, "data.message"),
        ({"data": {"message": "Hi"}}, "data.user_id"),
        ({"data": {"message": "Hi", "user_id": True}}, "data.user_id"),
        ({"data": {"message": "Hi"}, "subject": "x" * 129}, "subject"),
        ({"id": "x" * 256}, "id"),
        ({"source": "x" * 513}, "source"),
    ],
)
def test_a_wrong_part_of_a_cloud_event_is_refused_by_the_name_it_has_there(changed: dict[str, Any], field: str) -> None:
    refused = refusal_in_cloud(**changed)

    assert (refused.status, refused.field) == (422, field)


def test_a_batch_is_translated_event_by_event() -> None:
    documents = [in_cloud(), in_cloud(data={}), in_cloud(id=""), in_cloud(id="e2")]

    results = read(BATCHED, json.dumps(documents).encode())

    assert [type(one) for one in results] == [Submission, FieldsRefused, Refused, Submission]


def test_an_event_of_a_batch_may_not_be_larger_than_one_alone() -> None:
    large = in_cloud(data={"message": "Hi", "user_id": 1, "more": "x" * 262_144})

    good, refused = read(BATCHED, json.dumps([in_cloud(), large]).encode())

    assert isinstance(good, Submission)
    assert isinstance(refused, Refused)
    assert (refused.status, refused.field) == (413, "data")


def test_a_structured_event_under_the_plain_content_type_is_told_the_right_one() -> None:
    refused = refusal(in_cloud())

    assert (refused.status, refused.field) == (415, "Content-Type")
    assert "application/cloudevents+json" in refused.detail


GOOD = json.dumps(plain()).encode()
BAD_INPUT: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "malformed JSON": (JSON_HEADERS, b'{"event_type":', 400, "body"),
    "a missing field": (JSON_HEADERS, b'{"event_type":"a","user_id":1}', 422, "data"),
    "a wrong field": (JSON_HEADERS, b'{"event_type":"a","user_id":true,"data":{"message":"Hi"}}', 422, "user_id"),
    "an unknown CloudEvents version": (
        STRUCTURED,
        json.dumps(in_cloud(specversion="2.0")).encode(),
        400,
        "specversion",
    ),
    "an empty id": (STRUCTURED, json.dumps(in_cloud(id="")).encode(), 400, "id"),
    "a body over 256 KiB": (JSON_HEADERS, GOOD + b" " * 262_144, 413, "body"),
    "a batch over 1,000": (BATCHED, b"[" + b"{}," * 1000 + b"{}]", 413, "body"),
    "a wrong content type": ({"content-type": "text/xml"}, GOOD, 415, "Content-Type"),
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, GOOD, 415, "Content-Type"),
    "non-UTF-8": (JSON_HEADERS, GOOD.replace(b"Hi", b"\xff"), 400, "body"),
    "a NUL": (JSON_HEADERS, GOOD.replace(b"Hi", rb"\u0000"), 400, "data.message"),
    "a lone surrogate": (JSON_HEADERS, GOOD.replace(b"Hi", rb"\ud83d"), 400, "data.message"),
    "NaN": (JSON_HEADERS, GOOD.replace(b'"Hi"', b"NaN"), 400, "data.message"),
    "an integer beyond 64 bits": (JSON_HEADERS, GOOD.replace(b": 1,", b": 18446744073709551616,"), 400, "user_id"),
    "a duplicate key": (JSON_HEADERS, GOOD.replace(b'{"message"', b'{"message":"a","message"'), 400, "data.message"),
    "100,000 brackets": (JSON_HEADERS, b"[" * 100_000, 400, "body"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_answered_with_a_problem_that_names_the_field(name: str) -> None:
    headers, body, status, field = BAD_INPUT[name]

    with pytest.raises(Refused) as caught:
        read(headers, body)

    document = problem(caught.value)
    assert (document["status"], document["field"]) == (status, field)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["event_type", "user_id", "timestamp", "data", "id", "source", "specversion", "type", "subject"]


@QUICK
@given(JSON_VALUES | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON_VALUES)))
def test_no_json_value_is_answered_with_anything_but_a_submission_or_a_refusal(value: Any) -> None:
    bodies = [json.dumps(value).encode()]
    if isinstance(value, dict):
        bodies += [json.dumps(plain(**value)).encode(), json.dumps(in_cloud(**value)).encode()]

    results = [answer_to(headers, body) for body in bodies for headers in (JSON_HEADERS, STRUCTURED)]

    assert all(one.field and one.status in {400, 415, 422} for one in results if isinstance(one, Refused))


@QUICK
@given(st.binary(max_size=60), st.sampled_from([JSON_HEADERS, STRUCTURED, BATCHED, {}, {"ce-id": "1"}]))
def test_no_bytes_are_answered_with_anything_but_submissions_or_a_refusal(body: bytes, headers: dict[str, str]) -> None:
    answer = answer_to(headers, body)

    assert not isinstance(answer, Refused) or (answer.field and answer.status in {400, 415, 422})


@QUICK
@given(JSON_VALUES, st.text(max_size=5), st.none() | st.text(max_size=5))
def test_no_data_of_a_cloud_event_is_answered_with_anything_else(
    data: Any, event_type: str, subject: str | None
) -> None:
    body = json.dumps(in_cloud(data=data, type=event_type or "t", subject=subject)).encode()

    answer = answer_to(BATCHED, b"[" + body + b"]")

    assert isinstance(answer, list)
    assert all(isinstance(one, (Submission, Refused)) for one in answer)


def test_a_cloud_event_with_text_for_data_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        cloud_event(ExternalEvent(id="1", source="/s", type="t", data="text"))

    assert caught.value.field == "data"
