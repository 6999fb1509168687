"""How errors become HTTP: problem documents that name the field, and tell nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import MutableMapping
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import BacklogFull, DatabaseUnavailable, Garbage, Refused, Transient
from shared.problems import FieldsRefused, ProblemAnswers, answer, exception_handlers, problem, refused_fields

SECRET = "someone@example.test"


def body_of(response: Response) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(bytes(response.body))
    return document


async def call(app: ASGIApp, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": SECRET.encode(), "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {SECRET}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b"", "root_path": ""}
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


def raising(error: Exception) -> Starlette:
    async def endpoint(_request: Request) -> Response:
        raise error

    return Starlette(
        routes=[Route("/", endpoint)],
        middleware=[Middleware(ProblemAnswers)],
        exception_handlers=exception_handlers(),
    )


def test_a_refusal_becomes_a_problem_document_that_names_the_field() -> None:
    refused = Refused(422, "Invalid event", "It is required.", field="data.message")

    assert problem(refused, "urn:uuid:1") == {
        "type": "urn:carillon:problem:invalid-event",
        "title": "Invalid event",
        "status": 422,
        "detail": "It is required.",
        "instance": "urn:uuid:1",
        "field": "data.message",
        "errors": [{"field": "data.message", "detail": "It is required."}],
    }


def test_a_refusal_without_a_field_names_none() -> None:
    document = problem(Refused(409, "In progress", "The first one is still being worked on."))

    assert not document.keys() & {"field", "errors", "instance"}


def test_several_wrong_fields_are_named_at_once_and_the_first_leads() -> None:
    document = problem(
        FieldsRefused(422, "Invalid event", [("user_id", "It is required."), ("data", "It is required.")])
    )

    assert document["field"] == "user_id"
    assert [one["field"] for one in document["errors"]] == ["user_id", "data"]


def test_a_hundred_wrong_fields_are_not_all_repeated() -> None:
    assert len(problem(FieldsRefused(422, "Invalid", [("a", "b")] * 100))["errors"]) == 20


def test_what_pydantic_found_is_told_without_the_input() -> None:
    class Inner(BaseModel):
        count: int

    class Outer(BaseModel):
        items: list[Inner]
        inner: Inner

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"items": [{"count": SECRET}], "inner": SECRET})

    refused = refused_fields(caught.value)

    assert refused.errors[0][0] == "items[0].count"
    assert refused.errors[1] == ("inner", "It must be a JSON object.")
    assert SECRET not in json.dumps(problem(refused))


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Refused(404, "Not found", "There is no such notification."), 404, None),
        (Refused(429, "Too many requests", "Slow down.", retry_after_seconds=2.1), 429, "3"),
        (DatabaseUnavailable(SECRET), 503, "1"),
        (BacklogFull(SECRET), 503, "10"),
        (Transient(SECRET), 503, "1"),
        (Garbage(SECRET), 500, None),
        (KeyError(SECRET), 500, None),
        (HTTPException(404, SECRET), 404, None),
        (HTTPException(503, SECRET, headers={"Retry-After": "7"}), 503, "7"),
        (HTTPException(599, SECRET), 599, None),
        (ClientDisconnect(SECRET), 400, None),
    ],
)
def test_every_error_has_one_answer_and_it_keeps_the_errors_text(
    error: Exception, status: int, retry_after: str | None
) -> None:
    response = answer(error)

    assert response.status_code == body_of(response)["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("retry-after") == retry_after
    assert SECRET.encode() not in bytes(response.body)


def test_a_missing_key_is_asked_for() -> None:
    assert answer(Refused(401, "Unauthorized", "A key is needed.")).headers["www-authenticate"] == "Bearer"


async def test_an_unexpected_failure_is_logged_under_the_id_that_the_caller_gets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = RuntimeError(SECRET)
    failure.__cause__ = ValueError(SECRET)

    with caplog.at_level(logging.ERROR):
        status, _, body = await call(raising(failure), "/")

    document = json.loads(body)
    assert status == 500
    assert document["instance"].removeprefix("urn:uuid:") in caplog.text
    assert "builtins.RuntimeError" in caplog.text
    assert "because of builtins.ValueError" in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in body.decode()


def test_a_failure_that_is_its_own_cause_is_described_once_and_for_all() -> None:
    first, second = RuntimeError(), RuntimeError()
    first.__cause__, second.__cause__ = second, first

    assert answer(first).status_code == 500


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), ("/", "DELETE", 405)])
async def test_what_the_router_refuses_is_a_problem_document_too(path: str, method: str, status: int) -> None:
    answered, headers, body = await call(raising(RuntimeError()), path, method)

    assert answered == json.loads(body)["status"] == status
    assert headers["content-type"] == "application/problem+json"
    assert ("allow" in headers) == (status == 405)


@pytest.mark.parametrize("error", [Refused(413, "Body too large", "So it is.", field="body"), DatabaseUnavailable()])
async def test_what_a_route_raises_is_answered_and_echoes_nothing(error: Exception) -> None:
    status, headers, body = await call(raising(error), "/")

    assert status == json.loads(body)["status"]
    assert headers["content-type"] == "application/problem+json"
    assert SECRET not in body.decode() + str(headers)


async def test_an_answer_that_has_begun_is_broken_off_rather_than_completed_with_a_second() -> None:
    async def broken_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(SECRET)

    with pytest.raises(RuntimeError):
        await call(ProblemAnswers(broken_off), "/")


async def test_a_good_answer_passes_unchanged() -> None:
    status, _, body = await call(ProblemAnswers(PlainTextResponse("fine", 201)), "/")

    assert (status, body) == (201, b"fine")


async def test_a_failure_outside_http_is_not_answered_as_if_it_were() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError(scope["type"])

    async def unused(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(RuntimeError, match="lifespan"):
        await ProblemAnswers(app)({"type": "lifespan"}, unused, unused)
