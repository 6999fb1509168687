"""A Broker's ingress on this machine: it takes events over HTTP, as that of Knative's RabbitMQ broker does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infrastructure.local.targets import Headers, binary_mode
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE

TRACE = ("traceparent", "tracestate")
"""The headers of HTTP travel with an event; extensions of these names do not come out again (measured)."""

REQUIRED = ("id", "source", "type")
LARGEST_EVENT_BYTES = 1_048_576
ACCEPTED, BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, TOO_LARGE, REFUSED = 202, 400, 404, 405, 413, 500


class NoEvent(Exception):
    """A request that carries no CloudEvent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """An event on its way through the Broker: the attributes to filter by, and what a function will be sent."""

    attributes: Mapping[str, Any]
    headers: Headers = field(repr=False)
    data: bytes = field(repr=False)

    def marked(self, **extensions: str) -> Carried:
        """Add extensions."""
        added = [(f"ce-{name}", value) for name, value in extensions.items()]
        return replace(self, attributes={**self.attributes, **extensions}, headers=[*self.headers, *added])


Take = Callable[[Carried], bool]
"""Puts an event where it belongs; False when there is no room for it. An event that nobody wants is taken, and gone."""


class Ingress:
    """The ASGI application at a Broker's address."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = Response(status_code=await self._status(Request(scope, receive)))
        await response(scope, receive, send)

    async def _status(self, request: Request) -> int:
        if request.method != "POST":
            return NOT_ALLOWED
        if request.url.path != "/" or request.url.query:
            return NOT_FOUND
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_EVENT_BYTES:
                return TOO_LARGE
        try:
            event = carried(request.headers, bytes(body))
        except NoEvent:
            return BAD_REQUEST
        return ACCEPTED if self._take(event) else REFUSED


def carried(headers: Mapping[str, str], body: bytes) -> Carried:
    """Read the event of a request, in binary or in structured mode.

    An attribute in a header is a string; in a structured event it may be a number, and is then equal to no filter.

    Raises:
        NoEvent: it is a batch, no event at all, or one without specversion, id, source or type.
    """
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == BATCH_CONTENT_TYPE:
        raise NoEvent("a batch")
    is_structured = content_type == CONTENT_TYPE
    attributes, sent, data = _structured(body) if is_structured else _binary(headers, body)
    if attributes.get("specversion") != "1.0":
        raise NoEvent("specversion")
    for name in REQUIRED:
        if not (isinstance(attributes.get(name), str) and attributes[name]):
            raise NoEvent(name)
    trace = [(name, headers[name]) for name in TRACE if name in headers]
    return Carried(attributes=attributes, headers=[*sent, *trace], data=data)


def _structured(body: bytes) -> tuple[Mapping[str, Any], Headers, bytes]:
    try:
        document = json.loads(body)
    except ValueError:
        raise NoEvent("no JSON") from None
    if not isinstance(document, dict):
        raise NoEvent("no JSON object")
    kept = {name: value for name, value in document.items() if name not in TRACE and value is not None}
    attributes = {name: value for name, value in kept.items() if name not in {"data", "data_base64"}}
    headers, data = binary_mode(body if len(kept) == len(document) else json.dumps(kept).encode())
    if len(headers) < len(attributes):  # it could not be written so
        raise NoEvent("an attribute or data that nobody can send on")
    return attributes, headers, data


def _binary(headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, Any], Headers, bytes]:
    attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce-")}
    attributes = {name: value for name, value in attributes.items() if name not in TRACE}
    sent = [(f"ce-{name}", value) for name, value in attributes.items()]
    if "content-type" in headers:
        sent.append(("content-type", headers["content-type"]))
    return attributes, sent, body
