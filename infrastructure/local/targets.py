"""How a source hands events to a function: over HTTP, or straight into its ASGI application."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE

log = logging.getLogger("carillon.local.targets")

Headers = list[tuple[str, str]]
Answer = tuple[int, bytes]
Post = Callable[[Headers, bytes], Awaitable[Answer]]
Scope = dict[str, Any]
AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]

NO_ANSWER = -1
"""The status of an event for which there was no answer: refused, reset, or the function raised before it gave one."""

GATEWAY_TIMEOUT = 504
SERVER_ERROR = 500

RETRIED_STATUSES = frozenset({404, 413, 425, 429, 502, 503, 504, NO_ANSWER})
"""What Knative's RabbitmqSource and PingSource try again (measured); every other refusal is final for them."""

HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a CloudEvents HTTP header carries as it is; the rest is percent-encoded UTF-8."""


class Target(Protocol):
    """A function, as a source sees it."""

    async def deliver(self, bodies: Sequence[bytes]) -> list[int]:
        """Hand over structured CloudEvents. Return one HTTP status per event, in order, or NO_ANSWER."""


class AsgiTarget:
    """A function in this process. One event goes as Knative sends it, several go as one CloudEvents batch."""

    def __init__(self, app: AsgiApp, *, timeout_seconds: float = 120.0) -> None:
        self._app = app
        self._timeout_seconds = timeout_seconds

    async def deliver(self, bodies: Sequence[bytes]) -> list[int]:
        """Call the application, without a socket."""
        if len(bodies) == 1:
            status, _ = await self._post([("content-type", CONTENT_TYPE)], bodies[0])
            return [status]
        return await deliver_together(self._post, bodies)

    async def _post(self, headers: Headers, body: bytes) -> Answer:
        answer = _AsgiAnswer(body)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._app(_scope(headers, body), answer.receive, answer.send)
        except TimeoutError:
            return GATEWAY_TIMEOUT, b""
        except Exception as failure:
            log.error("a function raised instead of answering", extra={"error": type(failure).__name__})
            return SERVER_ERROR, b""
        return answer.status, b"".join(answer.parts)


class HttpTarget:
    """A function behind a URL. One event a request, in binary mode as Knative's adapter sends it, unless `batch`."""

    def __init__(
        self, url: str, session: aiohttp.ClientSession, *, batch: bool = False, timeout_seconds: float = 120.0
    ) -> None:
        self._url = url
        self._session = session
        self._batch = batch
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def deliver(self, bodies: Sequence[bytes]) -> list[int]:
        """Post the events."""
        if self._batch and len(bodies) > 1:
            return await deliver_together(self._post, bodies)
        answers = await asyncio.gather(*[self._post(*binary_mode(body)) for body in bodies])
        return [status for status, _ in answers]

    async def _post(self, headers: Headers, body: bytes) -> Answer:
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except TimeoutError:
            return GATEWAY_TIMEOUT, b""
        except (aiohttp.ClientError, OSError):
            return NO_ANSWER, b""


async def deliver_together(post: Post, bodies: Sequence[bytes]) -> list[int]:
    """Post several events as one batch; if the batch as a whole is not understood, post each alone.

    So that one event never changes another's fate: a body that breaks the JSON array is found out and travels alone.
    """
    status, answer = await post([("content-type", BATCH_CONTENT_TYPE)], b"[" + b",".join(bodies) + b"]")
    if status in RETRIED_STATUSES:
        return [status] * len(bodies)
    statuses = _statuses(answer) if 200 <= status < 300 else []
    if len(statuses) == len(bodies):
        return statuses
    answers = await asyncio.gather(*[post([("content-type", CONTENT_TYPE)], body) for body in bodies])
    return [alone for alone, _ in answers]


def _statuses(answer: bytes) -> list[int]:
    try:
        values = json.loads(answer)
    except ValueError:
        return []
    if not isinstance(values, list) or any(type(value) is not int for value in values):
        return []
    return values


def binary_mode(body: bytes) -> tuple[Headers, bytes]:
    """Turn a structured CloudEvent into headers and data. What is none stays as it is."""
    try:
        event = json.loads(body)
        data = base64.b64decode(event.pop("data_base64")) if "data_base64" in event else _data(event)
        content_type = str(event.pop("datacontenttype", "application/json"))
        headers = [(f"ce-{name}", quote(_text(value), safe=HEADER_SAFE)) for name, value in event.items()]
    except (ValueError, TypeError, AttributeError):
        return [("content-type", CONTENT_TYPE)], body
    return [*headers, ("content-type", content_type)], data


def _data(event: dict[str, Any]) -> bytes:
    data = event.pop("data", None)
    is_text = isinstance(data, str) and "json" not in str(event.get("datacontenttype", "json"))
    return b"" if data is None else str(data).encode() if is_text else json.dumps(data).encode()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _AsgiAnswer:
    """The two channels of one ASGI call, and what came back."""

    __slots__ = ("_asked", "_body", "parts", "status")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._asked = False
        self.status = NO_ANSWER
        self.parts: list[bytes] = []

    async def receive(self) -> Scope:
        if self._asked:
            await asyncio.get_running_loop().create_future()  # the caller stays until the answer is complete
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))


def _scope(headers: Headers, body: bytes) -> Scope:
    sent = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [*sent, (b"host", b"localhost"), (b"content-length", b"%d" % len(body))],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 80),
        "state": {},
    }
