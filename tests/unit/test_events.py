"""What the steps write to each other is what they read, and garbage is named without being repeated."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from cloudevents.http import from_json
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Garbage
from shared.events import Event, EventType, Reference, decode, encode, from_attributes
from shared.statuses import Channel

QUICK = settings(max_examples=60, deadline=None)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
COUNTS = st.integers(min_value=0, max_value=2**31 - 1)
REFERENCES = st.builds(
    Reference, notification_id=st.none() | st.uuids(), epoch=COUNTS, token=st.none() | st.uuids()
) | (st.builds(Reference, notification_id=st.uuids(), channel=st.sampled_from(Channel), attempt=COUNTS, epoch=COUNTS))
FOREIGN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
EVENTS = st.builds(
    Event,
    specversion=st.just("1.0"),
    id=st.uuids().map(str) | FOREIGN,
    source=st.sampled_from(["/carillon/ingest", "/carillon/sweep"]) | FOREIGN,
    type=st.sampled_from(EventType),
    tenant=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    traceparent=st.none() | st.just(TRACE),
    data=REFERENCES,
)
COMMAND = Event(
    id="4f0b0f64-0c55-5d12-8a2b-0f2f3b5b6f10",
    source="/carillon/orchestrate",
    type=EventType.DELIVERY_REQUESTED,
    tenant="acme",
    traceparent=TRACE,
    data=Reference(notification_id=UUID(int=7), channel=Channel.EMAIL, attempt=2, epoch=1),
)


def document(**changes: Any) -> bytes:
    return json.dumps({**json.loads(encode(COMMAND)), **changes}).encode()


@QUICK
@given(EVENTS)
def test_every_event_is_read_as_it_was_written(event: Event) -> None:
    assert decode(encode(event)) == event


@QUICK
@given(EVENTS)
def test_every_event_is_written_as_plain_json(event: Event) -> None:
    written = json.loads(encode(event))

    expected = event.model_dump(mode="json", exclude_none=True, exclude={"members"})
    if event.data.channel is None:
        expected["data"].pop("attempt")
    if event.data.fan_out_id is None:
        expected["data"].pop("position")
    if event.traceparent is not None:
        expected["data"]["traceparent"] = event.traceparent
    assert written == {**expected, "datacontenttype": "application/json"}


def test_the_cloudevents_sdk_reads_what_we_write() -> None:
    read = from_json(encode(COMMAND))

    expected = {"notification_id": str(UUID(int=7)), "channel": "email", "attempt": 2, "epoch": 1}
    assert (read["id"], read["type"], read["tenant"]) == (COMMAND.id, COMMAND.type.value, "acme")
    assert read["traceparent"] == TRACE
    assert read.data == {**expected, "traceparent": TRACE}


@QUICK
@given(EVENTS)
def test_an_event_in_binary_mode_is_the_same_event(event: Event) -> None:
    attributes = json.loads(encode(event))
    data = attributes.pop("data")

    assert from_attributes(attributes, data) == event


@QUICK
@given(EVENTS)
def test_a_trace_survives_a_dispatcher_that_eats_its_attribute(event: Event) -> None:
    attributes = json.loads(encode(event))
    data = attributes.pop("data")
    attributes.pop("traceparent", None)

    assert from_attributes(attributes, data) == event
    assert decode(json.dumps({**attributes, "data": data}).encode()) == event


def test_the_attribute_of_a_trace_counts_before_its_copy() -> None:
    other = f"00-{'1' * 32}-{'2' * 16}-00"

    assert decode(document(traceparent=other)).traceparent == other


@pytest.mark.parametrize("trace", ["x", 1, {}, "", TRACE[:-1]])
def test_a_trace_that_is_none_is_garbage_in_the_data_too(trace: object) -> None:
    body = json.loads(document())
    body.pop("traceparent")
    body["data"]["traceparent"] = trace

    with pytest.raises(Garbage, match="traceparent"):
        decode(json.dumps(body).encode())


@pytest.mark.parametrize("data", ["text", 1, ["traceparent"], True])
def test_data_that_is_no_object_is_garbage(data: object) -> None:
    with pytest.raises(Garbage, match="data"):
        decode(document(data=data, traceparent=None))


def test_a_tick_without_data_is_an_event() -> None:
    tick = from_attributes({"specversion": "1.0", "id": "1", "source": "/ping", "type": EventType.TICK.value}, None)

    assert tick.data == Reference()


def test_what_a_newer_sender_adds_is_let_through() -> None:
    body = document(newattribute="x", data={"notification_id": str(UUID(int=7)), "new": {"deep": 1}})

    assert decode(body).data == Reference(notification_id=UUID(int=7))


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"SECRET", "body"),
        (b"", "body"),
        (b'["SECRET"]', "body"),
        (b'\xff"SECRET"', "body"),
        (document(specversion="SECRET"), "specversion"),
        (document(id=""), "id"),
        (document(id="SECRET" * 60), "id"),
        (document(source={"a": "SECRET"}), "source"),
        (document(type="SECRET"), "type"),
        (document(tenant="SECRET"), "tenant"),
        (document(tenant="acme\n"), "tenant"),
        (document(traceparent="SECRET"), "traceparent"),
        (document(data="SECRET"), "data"),
        (document(data={"notification_id": "SECRET"}), "data.notification_id"),
        (document(data={"channel": "SECRET"}), "data.channel"),
        (document(data={"attempt": "SECRET"}), "data.attempt"),
        (document(data={"token": "SECRET"}), "data.token"),
    ],
)
def test_garbage_is_named_by_its_place_and_never_by_its_content(body: bytes, place: str) -> None:
    with pytest.raises(Garbage) as caught:
        decode(body)

    assert str(caught.value).startswith(f"{place}: ")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__, "the parser's own words would repeat it in a stack trace"


def test_garbage_in_binary_mode_is_named_in_the_same_way() -> None:
    with pytest.raises(Garbage, match=r"^type: ") as caught:
        from_attributes({"id": "1", "source": "/s", "type": "SECRET"}, None)

    assert "SECRET" not in str(caught.value)


@QUICK
@given(st.binary(max_size=100))
def test_no_bytes_do_anything_but_read_or_be_garbage(body: bytes) -> None:
    with pytest.raises(Garbage):
        decode(body)


def test_an_event_carries_ids_and_nothing_else() -> None:
    assert set(Reference.model_fields) == {
        "notification_id",
        "channel",
        "attempt",
        "epoch",
        "token",
        "fan_out_id",
        "position",
    }
