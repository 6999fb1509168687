from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from infrastructure.local.targets import AsgiTarget, binary_mode
from shared.events import write_bundle


def event(name: str) -> bytes:
    return json.dumps({"specversion": "1.0", "id": name, "source": "test", "type": "test", "data": {"n": 1}}).encode()


def function(handler: Callable[[Request], Awaitable[Response]]) -> AsgiTarget:
    return AsgiTarget(Starlette(routes=[Route("/", handler, methods=["POST"])]), timeout_seconds=5)


def answers(*statuses: int) -> Response:
    """Answer a batch as a step does."""
    return Response(f"{len(statuses)}\n{json.dumps(list(enumerate(statuses)))}\n")


async def test_what_is_there_comes_together_and_what_must_stand_alone_as_knative_sends_it() -> None:
    seen: list[tuple[str, Any]] = []

    async def handler(request: Request) -> Response:
        seen.append((request.headers["content-type"], await request.json()))
        batch = seen[-1][1]
        return answers(*[204, 503][: len(batch)]) if isinstance(batch, list) else Response(status_code=204)

    target = function(handler)
    one = await target.deliver([event("a")])
    two = await target.deliver([event("a"), event("b")])
    alone = await target.deliver([event("a")], alone=True)

    assert (one, two, alone) == ([204], [204, 503], [204])
    assert [content_type for content_type, _ in seen] == [
        "application/cloudevents-batch+json",
        "application/cloudevents-batch+json",
        "application/cloudevents+json",
    ]
    assert [one["id"] for one in seen[1][1]] == ["a", "b"]


async def test_a_bundle_comes_as_a_batch_although_it_is_one_message() -> None:
    seen: list[tuple[str, Any]] = []

    async def handler(request: Request) -> Response:
        seen.append((request.headers["content-type"], await request.json()))
        return answers(204)

    statuses = await function(handler).deliver([write_bundle("both", [event("a"), event("b")])])

    ((content_type, batch),) = seen
    assert (statuses, content_type) == ([204], "application/cloudevents-batch+json")
    assert [member["id"] for one in batch for member in one["data"]["members"]] == ["a", "b"]


@pytest.mark.parametrize("broken", [b'{"id": }', b'{"id":"x"},{"id":"y"}'])
async def test_an_event_that_breaks_the_batch_does_not_change_the_others_fate(broken: bytes) -> None:
    async def handler(request: Request) -> Response:
        body = await request.body()
        try:
            known = json.loads(body)
        except ValueError:
            return Response(status_code=400)
        return answers(*[204] * len(known)) if isinstance(known, list) else Response(status_code=204)

    statuses = await function(handler).deliver([event("a"), broken, event("b")])

    assert statuses == [204, 400, 204]


async def test_what_ends_first_is_told_first_and_the_slow_one_holds_up_nobody() -> None:
    may_end = asyncio.Event()

    async def lines() -> AsyncIterator[bytes]:
        yield b"3\n[[2, 204], "
        yield b"[0, 503]]\n"
        await may_end.wait()
        yield b"[[1, 204]]\n"

    async def handler(_: Request) -> Response:
        return StreamingResponse(lines())

    told: list[tuple[int, int]] = []
    delivery = asyncio.create_task(function(handler).deliver([event("a"), event("b"), event("c")], told.extend))
    async with asyncio.timeout(5):
        while len(told) < 2:  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0)

    assert told == [(2, 204), (0, 503)]
    may_end.set()
    assert await delivery == [503, 204, 204]
    assert told[2:] == [(1, 204)]


@pytest.mark.parametrize(
    "body", [b"2\n[[0, 204], [1, 204], [2, 204]]\n", b"[204, 204, 204]", b"3\n[[9, 204], 7]\n", b""]
)
async def test_an_answer_that_is_not_about_these_events_settles_none_of_them(body: bytes) -> None:
    async def handler(request: Request) -> Response:
        is_batch = request.headers["content-type"] == "application/cloudevents-batch+json"
        return Response(body) if is_batch else Response(status_code=503)

    assert await function(handler).deliver([event("a"), event("b"), event("c")]) == [503, 503, 503]


async def test_a_function_that_is_busy_as_a_whole_is_busy_for_every_event() -> None:
    asked: list[Request] = []

    async def handler(request: Request) -> Response:
        asked.append(request)
        return Response(status_code=503)

    statuses = await function(handler).deliver([event("a"), event("b")])

    assert statuses == [503, 503]
    assert len(asked) == 1


async def test_a_function_that_does_not_answer_in_its_time_counts_as_a_gateway_timeout() -> None:
    async def handler(_: Request) -> Response:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    target = AsgiTarget(Starlette(routes=[Route("/", handler, methods=["POST"])]), timeout_seconds=0.01)

    assert await target.deliver([event("a")]) == [504]


async def test_a_function_that_raises_counts_as_a_bare_500_and_the_log_does_not_repeat_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("ada@example.test")

    with caplog.at_level(logging.DEBUG):
        statuses = await AsgiTarget(app).deliver([event("a")])

    assert statuses == [500]
    assert "ada@example.test" not in caplog.text


def test_in_binary_mode_attributes_travel_as_headers_and_data_as_the_body() -> None:
    body = b'{"specversion":"1.0","id":"a b%","source":"/\xc3\xa9","type":"t","n":7,"data":{"x":1}}'

    headers, data = binary_mode(body)

    assert dict(headers) == {
        "ce-specversion": "1.0",
        "ce-id": "a%20b%25",
        "ce-source": "/%C3%A9",
        "ce-type": "t",
        "ce-n": "7",
        "content-type": "application/json",
    }
    assert json.loads(data) == {"x": 1}


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b'{"data_base64": "a"}'])
def test_what_is_no_event_is_handed_on_as_it_is(body: bytes) -> None:
    assert binary_mode(body) == ([("content-type", "application/cloudevents+json")], body)


@pytest.mark.parametrize(
    "more",
    [{"a b": "1"}, {"x\r\ny": "1"}, {"ä": "1"}, {"datacontenttype": "text/plain\r\nx: 1"}, {"datacontenttype": ""}],
)
def test_an_event_of_which_no_headers_can_be_made_goes_as_it_is(more: dict[str, str]) -> None:
    body = json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {}} | more).encode()

    assert binary_mode(body) == ([("content-type", "application/cloudevents+json")], body)
