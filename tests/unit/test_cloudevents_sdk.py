"""The CloudEvents SDK and we read what the other writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.conversion import to_binary
from cloudevents.conversion import to_structured as sdk_to_structured
from cloudevents.http import CloudEvent
from cloudevents.http import from_http as sdk_from_http

from shared.cloudevents import ExternalEvent, from_http, to_structured
from shared.errors import Refused

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def only(events: list[ExternalEvent | Refused]) -> ExternalEvent:
    [event] = events
    assert isinstance(event, ExternalEvent)
    return event


SDK_EVENTS = [
    CloudEvent({"type": "t", "source": "/s"}, {"message": "Hi", "user_id": 1}),
    CloudEvent(
        {"type": "t", "source": "/s", "id": "1", "subject": "7", "time": "2026-11-20T10:00:00+00:00"}, {"a": [1]}
    ),
    CloudEvent({"type": "t", "source": "/s", "datacontenttype": "application/json", "comexample": "x"}, {"a": "é"}),
    CloudEvent({"type": "t", "source": "/s", "dataschema": "/schema/1", "traceparent": TRACE}, {"a": None}),
]


@pytest.mark.parametrize("write", [to_binary, sdk_to_structured])
@pytest.mark.parametrize("sent", SDK_EVENTS)
def test_what_the_sdk_writes_is_read(sent: CloudEvent, write: Any) -> None:
    headers, body = write(sent)

    event = only(from_http(headers, body))

    written = {**event.extensions, "id": event.id, "source": event.source, "type": event.type, "subject": event.subject}
    written |= {"dataschema": event.dataschema, "traceparent": event.traceparent}
    for name, value in written.items():
        assert sent.get_attributes().get(name) == value
    assert event.time == datetime.fromisoformat(sent["time"])
    assert event.data == sent.data


def test_bytes_that_the_sdk_writes_in_base64_are_read() -> None:
    headers, body = sdk_to_structured(CloudEvent({"type": "t", "source": "/s"}, b'{"message":"Hi"}'))

    assert only(from_http(headers, body)).data == {"message": "Hi"}


@pytest.mark.parametrize(
    "event",
    [
        ExternalEvent(id="1", source="/s", type="t"),
        ExternalEvent(
            id="1",
            source="/s",
            type="t",
            subject="é",
            time=datetime(2026, 11, 20, 10, 0, tzinfo=UTC),
            datacontenttype="application/json",
            dataschema="/schema/1",
            data={"message": "Grüße 😀"},
            extensions={"comexample": "x"},
            traceparent=TRACE,
        ),
    ],
)
def test_what_we_write_is_read_by_the_sdk_and_by_us(event: ExternalEvent) -> None:
    headers, body = to_structured(event)

    theirs = sdk_from_http(headers, body)

    assert only(from_http(headers, body)) == event
    assert (theirs["id"], theirs["source"], theirs["type"], theirs.get("subject")) == (
        event.id,
        event.source,
        event.type,
        event.subject,
    )
    assert theirs.data == event.data
    assert theirs.get("traceparent") == event.traceparent
    assert theirs.get("comexample") == event.extensions.get("comexample")
