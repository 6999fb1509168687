from __future__ import annotations

import json
from typing import Any

import pytest

from infrastructure.local.broker_ingress import LARGEST_EVENT_BYTES, Carried, Ingress
from tests.asgi import call

BINARY = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "test",
    "ce-type": "test",
    "ce-carillonqueue": "events.main",
    "ce-n": "7",
    "content-type": "application/json",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
EVENT = {"specversion": "1.0", "id": "1", "source": "test", "type": "test", "carillonqueue": "events.main", "n": 7}


class Mouth:
    """What an ingress gives its events to."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.taken: list[Carried] = []
        self.has_room = has_room

    def take(self, event: Carried) -> bool:
        self.taken.append(event)
        return self.has_room


def structured(**changes: Any) -> bytes:
    return json.dumps({**EVENT, "data": {"a": 1}, **changes}).encode()


async def post(mouth: Mouth, headers: dict[str, str], body: bytes) -> int:
    return (await call(Ingress(mouth.take), "POST", "/", body, headers)).status


async def test_a_structured_event_is_taken_and_goes_on_in_binary_mode() -> None:
    mouth = Mouth()

    status = await post(mouth, STRUCTURED, structured())

    (event,) = mouth.taken
    assert status == 202
    assert event.attributes == EVENT
    assert dict(event.headers) == BINARY
    assert json.loads(event.data) == {"a": 1}


async def test_a_binary_event_goes_on_as_it_came_but_for_what_is_no_part_of_it() -> None:
    mouth = Mouth()

    status = await post(mouth, {**BINARY, "authorization": "Bearer x", "host": "broker"}, b"anything")

    (event,) = mouth.taken
    assert status == 202
    assert dict(event.headers) == BINARY
    assert event.attributes == {**EVENT, "n": "7"}
    assert event.data == b"anything"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 405),
        ("PUT", "/", 405),
        ("GET", "/health", 405),
        ("POST", "/carillon", 404),
        ("POST", "/?a=b", 404),
        ("POST", "/", 202),
    ],
)
async def test_events_are_taken_by_post_at_the_root_alone(method: str, path: str, status: int) -> None:
    mouth = Mouth()

    answer = await call(Ingress(mouth.take), method, path, structured(), STRUCTURED)

    assert answer.status == status
    assert len(mouth.taken) == (status == 202)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        ({"content-type": "application/json"}, structured()),
        ({"content-type": "application/cloudevents-batch+json"}, b"[" + structured() + b"]"),
        (STRUCTURED, b"{"),
        (STRUCTURED, b"[]"),
        (STRUCTURED, structured(id="")),
        (STRUCTURED, structured(source=None)),
        (STRUCTURED, structured(type=7)),
        (STRUCTURED, structured(specversion="0.1")),
        (STRUCTURED, structured(data_base64="not base64")),
        (STRUCTURED, json.dumps({**EVENT, "my-name": "x"}).encode()),
        ({name: value for name, value in BINARY.items() if name != "ce-id"}, b"{}"),
        ({**BINARY, "ce-specversion": "0.1"}, b"{}"),
    ],
)
async def test_what_is_no_cloud_event_is_refused(headers: dict[str, str], body: bytes) -> None:
    mouth = Mouth()

    assert await post(mouth, headers, body) == 400
    assert mouth.taken == []


async def test_the_trace_travels_in_headers_and_an_extension_of_that_name_is_eaten() -> None:
    mouth = Mouth()

    await post(mouth, {**STRUCTURED, "traceparent": "header"}, structured(traceparent="data", tracestate="data"))
    await post(mouth, {**BINARY, "ce-traceparent": "data"}, b"{}")

    with_header, without = mouth.taken
    assert [value for name, value in with_header.headers if "trace" in name] == ["header"]
    assert not {"traceparent", "tracestate"} & set(with_header.attributes)
    assert [name for name, _ in without.headers if "trace" in name] == []
    assert "traceparent" not in without.attributes


async def test_where_there_is_no_room_an_event_is_not_taken() -> None:
    assert await post(Mouth(has_room=False), STRUCTURED, structured()) == 500


async def test_a_body_without_end_is_not_kept() -> None:
    mouth = Mouth()

    assert await post(mouth, BINARY, bytes(LARGEST_EVENT_BYTES + 1)) == 413
    assert mouth.taken == []
