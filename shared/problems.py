"""Answer what went wrong as a problem document (RFC 9457): the one place that maps errors to HTTP.

A problem names the field and the rule. It never repeats a header, the body, or the text of an exception.
"""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, ExceptionHandler, Message, Receive, Scope, Send

from shared.errors import Refused, Transient
from shared.strict_json import spell

CONTENT_TYPE = "application/problem+json"
_MAX_FIELDS = 20
_MAX_FRAMES = 8
_RAISED = "Value error, "

_log = logging.getLogger("carillon.problems")


class FieldsRefused(Refused):
    """A request with one or more wrong fields. `field` is the first."""

    def __init__(self, status: int, title: str, errors: Sequence[tuple[str, str]]) -> None:
        field, detail = errors[0]
        super().__init__(status, title, detail, field=field)
        self.errors = tuple(errors[:_MAX_FIELDS])


def refused_fields(broken: ValidationError, *, status: int = 422, title: str = "Invalid request") -> FieldsRefused:
    """Turn what pydantic found into a refusal; its messages name rules, and its input is left out."""
    found = broken.errors(include_url=False, include_context=False, include_input=False)
    errors = [(spell(one["loc"]) or "body", f"{_WORDS.get(one['type'], _rule(one['msg']))}.") for one in found]
    return FieldsRefused(status, title, errors)


def _rule(message: str) -> str:
    """Leave the rule, without the name of the exception that said it."""
    is_raised, rule = message.startswith(_RAISED), message.removeprefix(_RAISED)
    return rule[:1].upper() + rule[1:] if is_raised else message


def problem(refused: Refused, instance: str | None = None) -> dict[str, Any]:
    """Write the problem document of a refusal; `instance` names this occurrence of it."""
    document: dict[str, Any] = {
        "type": "urn:carillon:problem:" + "-".join(refused.title.lower().split()),
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
    }
    if instance:
        document["instance"] = instance
    if refused.field:
        errors = refused.errors if isinstance(refused, FieldsRefused) else ((refused.field, refused.detail),)
        document["field"] = refused.field
        document["errors"] = [{"field": field, "detail": detail} for field, detail in errors]
    return document


def answer(error: Exception) -> Response:
    """Turn any error into its answer. What nobody expected is logged under an id, and the answer tells only that."""
    reaction = next(_REACTIONS[kind] for kind in type(error).__mro__ if kind in _REACTIONS)
    return reaction(error)


def exception_handlers() -> dict[Any, ExceptionHandler]:
    """List what Starlette(exception_handlers=...) needs, so that its own errors are problem documents too.

    Starlette answers a bare Exception and then raises it again, message and all, into the server's log: put
    `ProblemAnswers` around the routes to keep it out of there.
    """
    return dict.fromkeys(_REACTIONS, _handle)


class ProblemAnswers:
    """ASGI middleware: answer whatever the application inside raises. Once an answer has begun it cannot help."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if has_begun:
                raise
            await answer(error)(scope, receive, send)


async def _handle(_request: Request, error: Exception) -> Response:
    return answer(error)


def _refused(refused: Refused) -> Response:
    headers = {**_HEADERS_OF.get(refused.status, {}), **refused.headers}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = _whole_seconds(refused.retry_after_seconds)
    return _write(problem(refused), headers)


def _transient(error: Transient) -> Response:
    """The detail is ours alone: what a driver says about its server stays inside."""
    busy = Refused(503, "Temporarily unavailable", "Something that this needs is down or busy. Try again later.")
    return _write(problem(busy), {"Retry-After": _whole_seconds(error.retry_after_seconds)})


def _http(error: HTTPException) -> Response:
    try:
        title = HTTPStatus(error.status_code).phrase
    except ValueError:
        title = "Error"
    refused = Refused(error.status_code, title.capitalize(), _DETAILS.get(error.status_code, f"{title}."))
    kept = {name: value for name, value in (error.headers or {}).items() if name.lower() in _KEPT_HEADERS}
    return _write(problem(refused), kept)


def _gone(_error: ClientDisconnect) -> Response:
    return _write(problem(Refused(400, "Client gone", "The client left before its body was read.")), {})


def _unexpected(error: Exception) -> Response:
    name = str(uuid4())
    _log.error("unexpected failure %s: %s", name, _describe(error), extra={"failure_id": name})
    unknown = Refused(500, "Unexpected failure", "This should not have happened. It is logged under this instance.")
    return _write(problem(unknown, f"urn:uuid:{name}"), {})


def _describe(error: BaseException, causes: int = 3) -> str:
    """Name the kind and the place; an exception's text may hold an address or a body."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    described = f"{type(error).__module__}.{type(error).__qualname__} at {places or 'an unknown place'}"
    if error.__cause__ and causes:
        return f"{described}, because of {_describe(error.__cause__, causes - 1)}"
    return described


def _write(document: dict[str, Any], headers: Mapping[str, str]) -> Response:
    body = json.dumps(document).encode()
    return Response(body, status_code=document["status"], headers=headers, media_type=CONTENT_TYPE)


def _whole_seconds(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))


_REACTIONS: dict[type[BaseException], Callable[[Any], Response]] = {
    Refused: _refused,
    Transient: _transient,
    HTTPException: _http,
    ClientDisconnect: _gone,
    Exception: _unexpected,
}

_HEADERS_OF = {401: {"WWW-Authenticate": "Bearer"}}
_KEPT_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})

_WORDS = {
    "missing": "It is required",
    "model_type": "It must be a JSON object",
    "dict_type": "It must be a JSON object",
    "list_type": "It must be a JSON array",
}
"""Where pydantic's own words name our classes, or Python's."""

_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
    413: "The body is too large.",
    503: "Something that this needs is down or busy. Try again later.",
}
