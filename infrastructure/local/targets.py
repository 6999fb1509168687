"""How a source hands events to a function: over HTTP, or straight into its ASGI application."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from infrastructure.local.applications import AsgiApp, Scope
from infrastructure.local.posting import Poster
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE

log = logging.getLogger("carillon.local.targets")

Headers = list[tuple[str, str]]
Read = Callable[[bytes], None]
Post = Callable[[Headers, bytes, Read | None], Awaitable[int]]
"""Sends a request and returns its status; the body of a good answer is read piece by piece, if anybody wants it."""

NO_ANSWER = -1
"""The status of an event for which there was no answer: refused, reset, or the function raised before it gave one."""

GATEWAY_TIMEOUT = 504
SERVER_ERROR = 500

RETRIED_STATUSES = frozenset({404, 413, 425, 429, 502, 503, 504, NO_ANSWER})
"""What Knative's RabbitmqSource and PingSource try again (measured); every other refusal is final for them."""

HEADER_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""What a CloudEvents HTTP header carries as it is; the rest is percent-encoded UTF-8."""


_PLAIN = re.compile(r"[\x21\x23\x24\x26-\x7e]*")
_NAMES = re.compile(r"[A-Za-z0-9_]*")
_VALUE = re.compile(r"[\x20-\x7e]+")

Told = Callable[[Sequence[tuple[int, int]]], None]
"""Hears answers as they come: the places of events, and their statuses."""


LARGEST_BATCH = 200
"""As many events as a step works on at once."""


class Target(Protocol):
    """A function, as a source sees it."""

    @property
    def together(self) -> int:
        """How many events one request may hold."""

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        """Hand over structured CloudEvents. Return one HTTP status per event, in order, or NO_ANSWER.

        `told` hears each status once, as soon as it is known. `alone`: each in a request of its own, as Knative sends
        it; what is no JSON could not stand in an array.
        """


class Statuses:
    """The answers to a set of events, as they come in; a body of lines is read while it grows."""

    def __init__(self, size: int, told: Told | None = None) -> None:
        self._size = size
        self._told = told
        self._known: dict[int, int] = {}
        self._rest = b""
        self._is_ours: bool | None = None

    def note(self, answers: Sequence[tuple[int, int]]) -> None:
        """Note answers; the first one for a place counts."""
        fresh = [pair for pair in dict(answers).items() if pair[0] not in self._known]
        self._known.update(fresh)
        if self._told and fresh:
            self._told(fresh)

    def read(self, chunk: bytes) -> None:
        """Read a piece of a batch's answer: the number of events in a line, then lines of `[[place, status], ...]`.

        Where the function found another number of events than were sent, its places mean nothing here.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if self._is_ours is None:
                self._is_ours = line == b"%d" % self._size
            elif self._is_ours:
                self.note(_answers(line, self._size))

    def missing(self) -> list[int]:
        """List the places for which nothing was said."""
        return [place for place in range(self._size) if place not in self._known]

    def all(self, otherwise: int) -> list[int]:
        """Return every status, and note `otherwise` for those that are missing."""
        self.note([(place, otherwise) for place in self.missing()])
        return [self._known[place] for place in range(self._size)]


def _answers(line: bytes, size: int) -> list[tuple[int, int]]:
    try:
        pairs = [(place, status) for place, status in json.loads(line)]
    except (ValueError, TypeError):
        return []
    is_known = all(type(place) is int and type(status) is int and 0 <= place < size for place, status in pairs)
    return pairs if is_known else []


class AsgiTarget:
    """A function in this process. What is there goes as a batch, be it one event: a request of its own by way of
    functions-framework costs a third of a millisecond more, which somebody waits for.
    """

    together = LARGEST_BATCH

    def __init__(self, app: AsgiApp, *, timeout_seconds: float = 120.0) -> None:
        self._app = app
        self._timeout_seconds = timeout_seconds

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        """Call the application, without a socket."""
        statuses = Statuses(len(bodies), told)
        if not alone:
            return await deliver_together(self.post, bodies, statuses)
        structured = [("content-type", CONTENT_TYPE)]
        await each_alone(self.post, statuses, [(place, structured, body) for place, body in enumerate(bodies)])
        return statuses.all(NO_ANSWER)

    async def post(self, headers: Headers, body: bytes, read: Read | None = None) -> int:
        """POST one request; return its status, or NO_ANSWER. 504 is what a revision says after its timeout."""
        answer = _AsgiAnswer(body, read)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._app(_scope(headers, body), answer.receive, answer.send)
        except TimeoutError:
            return GATEWAY_TIMEOUT
        except Exception as failure:
            log.error("a function raised instead of answering", extra={"error": type(failure).__name__})
            return SERVER_ERROR
        return answer.status


class HttpTarget:
    """A function behind a URL. One event a request, in binary mode as Knative's adapter sends it, unless `batch`.

    Single requests to a plain address go by a client of our own, all others by aiohttp.
    """

    def __init__(
        self, url: str, session: aiohttp.ClientSession, *, batch: bool = False, timeout_seconds: float = 120.0
    ) -> None:
        self._url = url
        self._poster = Poster(url) if url.startswith("http://") else None
        self._session = session
        self.together = LARGEST_BATCH if batch else 1
        self._timeout_seconds = timeout_seconds
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        """Post the events."""
        statuses = Statuses(len(bodies), told)
        if self.together > 1 and len(bodies) > 1 and not alone:
            return await deliver_together(self.post, bodies, statuses)
        await each_alone(self.post, statuses, [(place, *binary_mode(body)) for place, body in enumerate(bodies)])
        return statuses.all(NO_ANSWER)

    def close(self) -> None:
        """Let the connections go."""
        if self._poster is not None:
            self._poster.close()

    async def post(self, headers: Headers, body: bytes, read: Read | None = None) -> int:
        """POST one request; return its status, or NO_ANSWER."""
        try:
            if self._poster is not None and read is None:
                return await self._poster.post(headers, body, self._timeout_seconds)
            async with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if read is None or response.status >= 300:
                    await response.read()
                    return response.status
                async for chunk in response.content.iter_any():
                    read(chunk)
                return response.status
        except TimeoutError:
            return GATEWAY_TIMEOUT
        except (aiohttp.ClientError, OSError):
            return NO_ANSWER


async def deliver_together(post: Post, bodies: Sequence[bytes], statuses: Statuses) -> list[int]:
    """Post several events as one batch; if the batch as a whole is not understood, post each alone.

    So that one event never changes another's fate: a body that breaks the JSON array is found out and travels alone.
    """
    body = b"[" + b",".join(bodies) + b"]"
    status = await post([("content-type", BATCH_CONTENT_TYPE)], body, statuses.read)
    if status in RETRIED_STATUSES:
        return statuses.all(status)
    if statuses.missing():
        alone = [(place, [("content-type", CONTENT_TYPE)], bodies[place]) for place in statuses.missing()]
        await each_alone(post, statuses, alone)
    return statuses.all(NO_ANSWER)


async def each_alone(post: Post, statuses: Statuses, events: Sequence[tuple[int, Headers, bytes]]) -> None:
    """Post events one a request, all at once."""

    async def one(place: int, headers: Headers, body: bytes) -> None:
        statuses.note([(place, await post(headers, body, None))])

    await asyncio.gather(*[one(*event) for event in events])


def binary_mode(body: bytes) -> tuple[Headers, bytes]:
    """Turn a structured CloudEvent into headers and data. What is none stays as it is."""
    try:
        event = json.loads(body)
        data = base64.b64decode(event.pop("data_base64")) if "data_base64" in event else _data(event)
        content_type = str(event.pop("datacontenttype", "application/json"))
        headers = [(f"ce-{name}", _quoted(_text(value))) for name, value in event.items()]
    except (ValueError, TypeError, AttributeError):
        return [("content-type", CONTENT_TYPE)], body
    if not (_NAMES.fullmatch("".join(event)) and _VALUE.fullmatch(content_type)):  # no header can say that
        return [("content-type", CONTENT_TYPE)], body
    return [*headers, ("content-type", content_type)], data


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else quote(value, safe=HEADER_SAFE)


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

    __slots__ = ("_asked", "_body", "_read", "status")

    def __init__(self, body: bytes, read: Read | None) -> None:
        self._body = body
        self._read = read
        self._asked = False
        self.status = NO_ANSWER

    async def receive(self) -> Scope:
        if self._asked:
            await asyncio.get_running_loop().create_future()  # the caller stays until the answer is complete
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Scope) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self._read and self.status < 300 and message["type"] == "http.response.body":
            self._read(message.get("body", b""))


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
