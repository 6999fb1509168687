"""CloudEvents 1.0 over HTTP: what is let in, and what is refused by name."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers

from shared.cloudevents import MAX_BATCH, ExternalEvent, Mode, from_http, mode
from shared.errors import Refused

QUICK = settings(max_examples=40, deadline=None)
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCHED = {"Content-Type": "application/cloudevents-batch+json; charset=UTF-8"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def document(**changed: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": "a1", "source": "/shop", "type": "order.created", "data": {"message": "Hi"}}
    return {name: value for name, value in {**event, **changed}.items() if value is not ...}


def structured(**changed: Any) -> ExternalEvent:
    return only(from_http(STRUCTURED, json.dumps(document(**changed)).encode()))


def binary(body: bytes = b'{"message":"Hi"}', **changed: str) -> ExternalEvent:
    return only(from_http(binary_headers(**changed), body))


def binary_headers(**changed: str) -> dict[str, str]:
    attributes = {"specversion": "1.0", "id": "a1", "source": "/shop", "type": "order.created", **changed}
    return {"Content-Type": "application/json", **{f"ce-{name}": value for name, value in attributes.items()}}


def only(events: list[ExternalEvent | Refused]) -> ExternalEvent:
    [event] = events
    assert isinstance(event, ExternalEvent)
    return event


def refusal(headers: dict[str, str], body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        from_http(headers, body)
    return caught.value


def refused_if_at_all(headers: dict[str, str], body: bytes) -> Refused | None:
    try:
        from_http(headers, body)
    except Refused as refused:
        return refused
    return None


def refused_structured(**changed: Any) -> Refused:
    return refusal(STRUCTURED, json.dumps(document(**changed)).encode())


def test_a_structured_event_is_read_whole() -> None:
    event = structured(subject="7", time="2026-11-20T11:00:00.5+01:00", comexample="x", count=3, flag=True)

    assert event == ExternalEvent(
        id="a1",
        source="/shop",
        type="order.created",
        subject="7",
        time=datetime(2026, 11, 20, 10, 0, 0, 500_000, tzinfo=UTC),
        data={"message": "Hi"},
        extensions={"comexample": "x", "count": "3", "flag": "true"},
    )


def test_a_binary_event_is_the_same_as_its_structured_form() -> None:
    in_headers = binary(subject="7", time="2026-11-20T10:00:00Z", comexample="x")
    in_body = structured(subject="7", time="2026-11-20T10:00:00Z", comexample="x", datacontenttype="application/json")

    assert in_headers == in_body


def test_headers_as_the_server_hands_them_over_are_read() -> None:
    headers = Headers({"CE-ID": "a1", "Ce-Source": "/s", "ce-type": "t", "ce-specversion": "1.0"})

    assert only(from_http(headers, b"")).id == "a1"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41%2F", "A/"),
        ("100%25", "100%"),
        ('"a \\"quoted\\" one"', 'a "quoted" one'),
        ("a plain one", "a plain one"),
    ],
)
def test_a_header_value_is_decoded_as_the_binding_asks(written: str, meant: str) -> None:
    assert binary(subject=written).subject == meant


@pytest.mark.parametrize("written", ["%C0%A0", "%FF", "100%", "%zz", "caf\xe9", "a%00b", "a%0Ab", "%ED%A0%80"])
def test_a_header_value_that_cannot_be_decoded_is_refused_by_name(written: str) -> None:
    refused = refusal(binary_headers(subject=written), b"{}")

    assert (refused.status, refused.field) == (400, "subject")


def test_an_attribute_that_two_headers_contradict_is_refused() -> None:
    raw = [(name.encode(), value.encode()) for name, value in binary_headers().items()]
    headers = Headers(raw=[*raw, (b"ce-id", b"another")])

    with pytest.raises(Refused) as caught:
        from_http(headers, b"{}")

    assert caught.value.field == "ce-id"


@pytest.mark.parametrize("version", ["0.3", "9.9", "1", "", 1.0, ..., None])
def test_an_unknown_version_of_cloudevents_is_refused_by_name(version: Any) -> None:
    refused = refused_structured(specversion=version)

    assert (refused.status, refused.field) == (400, "specversion")


def test_an_unknown_version_in_a_header_is_refused_by_name() -> None:
    assert refusal(binary_headers(specversion="0.3"), b"{}").field == "specversion"


@pytest.mark.parametrize("name", ["id", "source", "type"])
@pytest.mark.parametrize("value", ["", " ", 7, ..., None, [], {}])
def test_an_empty_missing_or_wrong_attribute_is_refused_by_name(name: str, value: Any) -> None:
    refused = refused_structured(**{name: value})

    assert (refused.status, refused.field) == (400, name)


@pytest.mark.parametrize("name", ["id", "source", "type"])
def test_an_empty_attribute_in_a_header_is_refused_by_name(name: str) -> None:
    assert refusal(binary_headers(**{name: ""}), b"{}").field == name


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-11-20", "2026-11-20T10:00:00", "20261120T100000Z", "2026-02-30T10:00:00Z", "", 5]
)
def test_a_time_that_is_not_rfc_3339_is_refused_by_name(time: Any) -> None:
    refused = refused_structured(time=time)

    assert (refused.status, refused.field) == (400, "time")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_beyond_the_calendar_is_refused(time: str) -> None:
    assert refused_structured(time=time).field == "time"


def test_a_time_with_nanoseconds_is_read() -> None:
    assert structured(time="2026-11-20t10:00:00.123456789z").time == datetime(
        2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC
    )


@pytest.mark.parametrize("name", ["My_Ext", "foo_bar", "ID", "x" * 21, "", "é", "a-b"])
def test_an_attribute_with_an_illegal_name_is_refused(name: str) -> None:
    refused = refused_structured(**{name: "x"})

    assert (refused.status, refused.field) == (400, name or "body")


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], 1.5])
def test_an_extension_that_is_no_simple_value_is_refused_by_name(value: Any) -> None:
    assert refused_structured(comexample=value).field == "comexample"


@pytest.mark.parametrize("name", ["subject", "comexample", "id"])
def test_an_attribute_over_1024_characters_is_refused_by_name(name: str) -> None:
    assert refused_structured(**{name: "x" * 1025}).field == name


def test_an_empty_subject_is_refused_by_name() -> None:
    assert refused_structured(subject="").field == "subject"


def test_an_attribute_with_a_control_character_is_refused_by_name() -> None:
    assert refused_structured(subject="a\x1fb").field == "subject"


def test_data_and_data_base64_together_are_refused() -> None:
    assert refused_structured(data_base64="e30=").field == "data_base64"


def test_data_base64_is_read_as_json() -> None:
    encoded = base64.b64encode(b'{"message":"Hi"}').decode()

    assert structured(data=..., data_base64=encoded).data == {"message": "Hi"}


@pytest.mark.parametrize(
    "encoded", ["e30", "not base64!", "é", 7, ["e30="], {"a": "b"}, "bm9wZQ==", "/w==", "", "e3!0="]
)
def test_data_base64_that_is_not_json_in_base64_is_refused_by_name(encoded: Any) -> None:
    refused = refused_structured(data=..., data_base64=encoded)

    assert (refused.status, refused.field) == (400, "data_base64")


def test_broken_data_is_refused_by_its_path() -> None:
    assert refusal(binary_headers(), b'{"amount":NaN}').field == "data.amount"
    assert refusal(binary_headers(), b"{").field == "data"


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Content-Type": "application/cloudevents+avro"}, "Content-Type"),
        ({"Content-Type": "application/cloudevents"}, "Content-Type"),
        ({"Content-Type": "application/cloudevents-batch+xml"}, "Content-Type"),
        ({"Content-Type": "application/cloudevents+json; charset=utf-16"}, "Content-Type"),
        (binary_headers() | {"Content-Type": "text/plain"}, "Content-Type"),
        (binary_headers() | {"Content-Type": "application/json; charset=latin-1"}, "Content-Type"),
        ({"Content-Type": "application/xml"}, "Content-Type"),
    ],
)
def test_a_wrong_content_type_is_refused(headers: dict[str, str], field: str) -> None:
    refused = refusal(headers, b"{}")

    assert (refused.status, refused.field) == (415, field)


def test_data_of_another_type_is_refused_by_name() -> None:
    refused = refused_structured(datacontenttype="text/plain", data="Hi")

    assert (refused.status, refused.field) == (415, "datacontenttype")


@pytest.mark.parametrize("name", ["datacontenttype", "data"])
def test_what_is_no_attribute_in_binary_mode_is_refused_by_name(name: str) -> None:
    assert refusal(binary_headers(**{name: "application/json"}), b"{}").field == name


@pytest.mark.parametrize("body", [b"[]", b"null", b'"a"', b"5"])
def test_a_structured_event_that_is_no_object_is_refused(body: bytes) -> None:
    refused = refusal(STRUCTURED, body)

    assert (refused.status, refused.field) == (400, "body")


def test_a_key_that_occurs_twice_is_refused_before_it_is_believed() -> None:
    body = b'{"specversion":"1.0","id":"a","id":"b","source":"s","type":"t"}'

    assert refusal(STRUCTURED, body).field == "id"


def test_a_trace_is_taken_from_the_event_before_the_request() -> None:
    other = TRACE.replace("b7", "c8")

    assert structured(traceparent=TRACE).traceparent == TRACE
    assert "traceparent" not in structured(traceparent=TRACE).extensions
    assert only(from_http(binary_headers() | {"traceparent": other}, b"")).traceparent == other
    assert only(from_http(binary_headers(traceparent=TRACE) | {"traceparent": other}, b"")).traceparent == TRACE


@pytest.mark.parametrize("broken", ["nonsense", "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:], TRACE + "\n"])
def test_a_broken_trace_in_a_header_is_left_out(broken: str) -> None:
    assert only(from_http(binary_headers() | {"traceparent": broken}, b"")).traceparent is None


def test_one_bad_event_of_a_batch_gets_its_own_problem() -> None:
    good, bad = json.dumps(document()), json.dumps(document(id=""))
    nan = good.replace('"Hi"', "NaN")
    body = f"[{good},{bad},{nan},5,{good}]".encode()

    first, *broken, last = from_http(BATCHED, body)

    assert isinstance(first, ExternalEvent)
    assert isinstance(last, ExternalEvent)
    assert [one.field for one in broken if isinstance(one, Refused)] == ["id", "data.message", "body"]


def test_a_batch_of_a_thousand_is_read_and_one_more_is_refused() -> None:
    event = json.dumps(document()).encode()

    assert len(from_http(BATCHED, b"[" + b",".join([event] * MAX_BATCH) + b"]")) == 1000
    refused = refusal(BATCHED, b"[" + b",".join([event] * (MAX_BATCH + 1)) + b"]")
    assert (refused.status, refused.field) == (413, "body")


def test_a_thousand_events_of_an_ordinary_size_fit_into_one_batch() -> None:
    event = json.dumps(document(data={"message": "x" * 600})).encode()

    assert len(from_http(BATCHED, b"[" + b",".join([event] * MAX_BATCH) + b"]")) == 1000


def test_an_empty_batch_is_a_batch() -> None:
    assert from_http(BATCHED, b"[]") == []


def test_a_batch_that_is_no_array_is_refused() -> None:
    assert refusal(BATCHED, json.dumps(document()).encode()).field == "body"


def test_a_request_without_any_mark_of_cloudevents_is_none() -> None:
    assert mode({"content-type": "application/json"}) is None
    assert mode({"CE-Id": "1"}) is Mode.BINARY
    assert mode(STRUCTURED) is Mode.STRUCTURED
    assert mode(BATCHED) is Mode.BATCHED


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"]
)


@QUICK
@given(st.dictionaries(NAMES | st.text(max_size=5), JSON_VALUES | st.just("1.0")))
def test_no_document_is_answered_with_anything_but_an_event_or_a_refusal(changed: dict[str, Any]) -> None:
    body = json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": "t", **changed}).encode()

    refused = [refused_if_at_all(STRUCTURED, body), refused_if_at_all(BATCHED, b"[" + body + b"]")]

    assert all(one is None or (one.status in {400, 415} and one.field) for one in refused)


@QUICK
@given(
    st.dictionaries(
        st.sampled_from(["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "Content-Type", "ce-x"])
        | st.text(max_size=8),
        st.sampled_from(["1.0", "application/json", "%", '"', "a"]) | st.text(max_size=20),
    ),
    st.sampled_from([b"{}", b""]) | st.binary(max_size=40),
)
def test_no_request_is_answered_with_anything_but_events_or_a_refusal(headers: dict[str, str], body: bytes) -> None:
    refused = refused_if_at_all(headers, body)

    assert refused is None or (refused.status in {400, 415} and refused.field)
