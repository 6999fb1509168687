"""One request to a provider, to its end: what it answered, or how far the request had come without an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import aiohttp

MOST_BYTES = 65_536
"""No answer of a provider is longer; what comes beyond is not read."""

CONNECTIONS = 100
SPARE_SECONDS = 15.0
"""So long a connection is kept for the next request. Providers close idle ones, and a request that meets the closing
is ambiguous.
"""


class Phase(StrEnum):
    """How far a request has come. The same failure means another thing in another phase."""

    WAITING = "waiting"  # for a free connection, or in a process that was stopped meanwhile: nobody was asked
    LOGIN = "login"  # for an access token: the message has not left
    CONNECT = "connect"
    SENT = "sent"  # some of it may have left


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `document` is None when it is no JSON object."""

    status: int
    headers: Mapping[str, str]
    document: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer that can be read."""

    phase: Phase
    word: str


FAULTS: tuple[tuple[type[BaseException], str], ...] = (  # the first that an error is
    (TimeoutError, "timeout"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientConnectorDNSError, "unknown host"),
    (aiohttp.ClientConnectorError, "unreachable"),
    (aiohttp.ClientPayloadError, "lost"),
    (aiohttp.ServerDisconnectedError, "lost"),
    (OSError, "lost"),
    (Exception, "garbled"),
)


class AnswerTooLong(Exception):
    """An answer goes on and on."""


@dataclass(slots=True)
class Progress:
    """How far one request has come, and whether it may still begin."""

    may_begin: Callable[[], bool]
    phase: Phase = Phase.CONNECT


class Http:
    """Connections to providers, kept open between requests; opened at the first."""

    def __init__(self, connections: int = CONNECTIONS, clock: Callable[[], float] | None = None) -> None:
        self._connections = connections
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, until: float) -> Reply | Silence:
        """Post a body and read the answer, until that time on the loop's clock; then the connection is cut."""
        clock = self._clock or asyncio.get_running_loop().time
        progress = Progress(lambda: clock() < until)
        try:
            async with asyncio.timeout_at(until):
                return await self._post(url, headers, body, progress)
        except (aiohttp.ClientError, AnswerTooLong, OSError) as failure:  # a timeout is an OSError, too
            word = next(word for kind, word in FAULTS if isinstance(failure, kind))
            return Silence(progress.phase, word)

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, progress: Progress) -> Reply:
        if self._session is None:
            self._session = self._open()
        # A redirect would carry the message and the credentials to somebody else.
        posting = self._session.post(url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=progress)
        async with posting as response:
            return Reply(response.status, response.headers, _object(await _read(response)))

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_queued_start.append(_waiting)
        trace.on_connection_queued_end.append(_connecting)
        trace.on_request_headers_sent.append(_sent)  # it is called right before the first byte leaves
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=SPARE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
        )


async def _waiting(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.phase = Phase.WAITING


async def _connecting(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.phase = Phase.CONNECT


async def _sent(_session: object, context: SimpleNamespace, _params: object) -> None:
    """Let a request begin, or not: this process may have been stopped for a minute while it connected."""
    progress: Progress = context.trace_request_ctx
    if not progress.may_begin():
        progress.phase = Phase.WAITING
        raise TimeoutError
    progress.phase = Phase.SENT


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise AnswerTooLong
    except (aiohttp.ClientPayloadError, AnswerTooLong):
        if response.status < 400:
            raise
        return b""  # the status alone says that nothing was taken
    return bytes(body)


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
