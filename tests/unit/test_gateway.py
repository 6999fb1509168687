from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as Path

from infrastructure.local import manifests
from infrastructure.local.applications import AsgiApp
from infrastructure.local.gateway import Gateway, RouteTable
from infrastructure.local.proxy import end_to_end, request_headers
from infrastructure.local.records import Route


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/events", "ingest"),
        ("POST", "/events/", "ingest"),
        ("POST", "/notifications/send", "ingest"),
        ("POST", "/api/v1/notifications", "ingest"),
        ("GET", "/api/v1/notifications/5/explain", "ingest"),
        ("GET", "/health/ready", "ingest"),
        ("GET", "/ws/1", "realtime"),
        ("GET", "/sse/1", "realtime"),
        ("GET", "/inbox/carillon-inbox.js", "realtime"),
        ("GET", "/demo/inbox", "realtime"),
        ("GET", "/users/1/inbox", "directory"),
        ("GET", "/users/1", "directory"),
        ("POST", "/templates/welcome/preview", "templates"),
        ("POST", "/callbacks/twilio", "callbacks"),
        ("GET", "/unsubscribe/a.b", "callbacks"),
        ("POST", "/keys/1/rotate", "access"),
        ("POST", "/auth/token", "access"),
        ("POST", "/dead-letters/1/replay", "console"),
        ("GET", "/overview", "console"),
        ("DELETE", "/suppressions/email/ada@example.com", "console"),
        ("GET", "/", "console"),
        ("GET", "/docs", "console"),
        ("GET", "/console/app.js", "console"),
        ("POST", "/eventsource", "console"),
        ("GET", "/api/v1", "console"),
    ],
)
def test_a_request_goes_to_the_function_that_its_address_belongs_to(method: str, path: str, service: str) -> None:
    table = RouteTable(manifests.read().routes)

    assert table.find(path, method) == service


def test_the_longest_prefix_wins_and_then_the_rule_with_a_method() -> None:
    table = RouteTable(
        [
            Route(prefix="/", service="all"),
            Route(prefix="/users", service="any"),
            Route(prefix="/users", service="writing", methods=frozenset({"POST"})),
            Route(prefix="/users/me", service="reading", methods=frozenset({"GET"})),
        ]
    )

    assert table.find("/users/me", "GET") == "reading"
    assert table.find("/users/me", "POST") == "writing"
    assert table.find("/users/me", "DELETE") == "any"
    assert table.find("/else", "DELETE") == "all"


def test_an_address_without_a_rule_belongs_to_nobody() -> None:
    assert RouteTable([Route(prefix="/events", service="ingest")]).find("/", "GET") is None


async def ask(app: AsgiApp, path: str, *, kind: str = "http") -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.connect" if kind == "websocket" else "http.request", "body": b""}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app({"type": kind, "method": "GET", "path": path, "headers": [], "query_string": b""}, receive, send)
    return sent


async def test_the_function_sees_the_whole_path() -> None:
    async def echo(request: Request) -> Response:
        return PlainTextResponse(request.url.path)

    gateway = Gateway([Route(prefix="/a", service="one")], {"one": Starlette(routes=[Path("/a/b", echo)])})

    _, body = await ask(gateway, "/a/b")

    assert body["body"] == b"/a/b"


async def test_an_unknown_address_is_answered_with_a_problem_document() -> None:
    start, body = await ask(Gateway([], {}), "/nowhere")

    assert start["status"] == 404
    assert (b"content-type", b"application/problem+json") in start["headers"]
    assert b"Not found" in body["body"]


async def test_a_function_that_does_not_run_is_said_to_be_away_for_now() -> None:
    start, _ = await ask(Gateway([Route(prefix="/a", service="one")], {}), "/a")

    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]


async def test_a_socket_to_a_function_that_does_not_run_is_closed_with_try_again_later() -> None:
    (close,) = await ask(Gateway([Route(prefix="/ws", service="one")], {}), "/ws/1", kind="websocket")

    assert (close["type"], close["code"]) == ("websocket.close", 1013)


def test_headers_of_one_connection_are_not_handed_on() -> None:
    sent = [(b"Connection", b"close, X-Mine"), (b"x-mine", b"1"), (b"TE", b"trailers"), (b"accept", b"*/*")]

    assert end_to_end(sent) == [(b"accept", b"*/*")]


def test_the_function_learns_who_asked_and_under_which_name() -> None:
    scope = {
        "scheme": "http",
        "client": ("192.0.2.7", 5),
        "headers": [(b"host", b"carillon.example.com"), (b"x-forwarded-for", b"198.51.100.1")],
    }

    headers = dict(request_headers(scope))

    assert headers[b"x-forwarded-for"] == b"198.51.100.1, 192.0.2.7"
    assert headers[b"x-forwarded-host"] == b"carillon.example.com"
    assert headers[b"x-forwarded-proto"] == b"http"
    assert b"host" not in headers


def test_of_the_names_by_which_it_was_called_none_is_left_out() -> None:
    scope = {
        "scheme": "http",
        "client": None,
        "headers": [(b"host", b"evil.test"), (b"x-forwarded-host", b"localhost")],
    }

    headers = dict(request_headers(scope))

    assert headers[b"x-forwarded-host"] == b"localhost, evil.test"
