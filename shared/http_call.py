"""One HTTP request to a provider, to its end: what it answered, or how far it had come when nobody answered.

The same failure means another thing in another phase, and it means the same at every provider: `silent`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import aiohttp

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind

MOST_BYTES = 65_536
"""What comes beyond is not read; a provider whose answers are longer says so."""

CONNECTIONS = 100
SPARE_SECONDS = 15.0
"""So long a connection is kept for the next request. Providers close idle ones, and a request that meets the closing
is ambiguous.
"""


class Phase(StrEnum):
    """How far a request has come."""

    WAITING = "waiting"  # for a free connection, or in a process that was stopped meanwhile: nobody was asked
    LOGIN = "login"  # for an access token: the message has not left
    CONNECT = "connect"
    SENT = "sent"  # some of it may have left


class Fault(StrEnum):
    """Why there is no answer, or none that can be read."""

    TIMEOUT = "timeout"
    TLS = "tls"  # it failed, or the certificate is not trusted
    UNKNOWN_HOST = "unknown host"
    UNREACHABLE = "unreachable"
    LOST = "lost"  # the connection was cut
    GARBLED = "garbled"  # it is no HTTP, or goes on and on


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `document` is None when it is no JSON object."""

    status: int
    headers: Mapping[str, str]
    document: Mapping[str, Any] | None
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer that can be read. `status` is there if that much could be."""

    phase: Phase
    word: str
    status: int | None = None


MEANINGS: Mapping[Phase, tuple[OutcomeKind, bool]] = {  # the outcome, and whether the provider is at fault
    # Nothing was tried, so no try is used up: the requests that hold the connections speak for the provider.
    Phase.WAITING: (OutcomeKind.THROTTLED, False),
    Phase.LOGIN: (OutcomeKind.TRANSIENT, True),
    Phase.CONNECT: (OutcomeKind.TRANSIENT, True),
    Phase.SENT: (OutcomeKind.AMBIGUOUS, True),
}

FAULTS: tuple[tuple[type[BaseException], Fault], ...] = (  # the first that an error is
    (TimeoutError, Fault.TIMEOUT),
    (aiohttp.ClientSSLError, Fault.TLS),
    (ssl.SSLError, Fault.TLS),
    (aiohttp.ClientConnectorDNSError, Fault.UNKNOWN_HOST),
    (aiohttp.ClientConnectorError, Fault.UNREACHABLE),
    (aiohttp.ClientPayloadError, Fault.LOST),
    (aiohttp.ServerDisconnectedError, Fault.LOST),
    (OSError, Fault.LOST),
    (Exception, Fault.GARBLED),
)


def silent(provider: str, silence: Silence, code: str, reason: str) -> Outcome:
    """Turn a request without an answer into its outcome, in the provider's own words."""
    kind, is_at_fault = MEANINGS[silence.phase]
    return Outcome(kind=kind, code=code, reason=reason, provider=provider, provider_at_fault=is_at_fault)


def name_fault(failure: BaseException) -> Fault:
    """Name what went wrong."""
    return next(fault for kind, fault in FAULTS if isinstance(failure, kind))


class AnswerTooLong(Exception):
    """An answer goes on and on."""


@dataclass(slots=True)
class Progress:
    """How far one request has come, and whether it may still begin."""

    may_begin: Callable[[], bool]
    phase: Phase = Phase.CONNECT
    status: int | None = None


class Http:
    """Connections to a provider, kept open between requests; opened at the first.

    `connections` is how many there are at most, 0 for as many as are asked for. The clock is for tests.
    """

    def __init__(
        self,
        connections: int = CONNECTIONS,
        *,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._connections = connections
        self._most_bytes = most_bytes
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, until: float) -> Reply | Silence:
        """Post a body and read the answer, until that time on the loop's clock; then the connection is cut."""
        return await self.ask("POST", url, until, headers=headers, data=body)

    async def ask(self, method: str, url: str, until: float, **more: Any) -> Reply | Silence:
        """Make a request, as aiohttp takes it, and read the answer until that time on the loop's clock."""
        clock = self._clock or asyncio.get_running_loop().time
        progress = Progress(lambda: clock() < until)
        try:
            async with asyncio.timeout_at(until):
                return await self._ask(method, url, progress, more)
        except (aiohttp.ClientError, AnswerTooLong, OSError) as failure:  # a timeout is an OSError, too
            return Silence(progress.phase, name_fault(failure), progress.status)

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, method: str, url: str, progress: Progress, more: Mapping[str, Any]) -> Reply:
        if self._session is None:
            self._session = self._open()
        # A redirect would carry the message and the credentials to somebody else.
        asking = self._session.request(method, url, **more, allow_redirects=False, trace_request_ctx=progress)
        async with asking as response:
            progress.status = response.status
            body = await _read(response, self._most_bytes)
            return Reply(response.status, response.headers, _object(body), body.decode(errors="replace"))

    def _open(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_queued_start.append(_waiting)
        trace.on_connection_queued_end.append(_connecting)
        trace.on_request_headers_sent.append(_sent)  # it is called right before the first byte leaves
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=SPARE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # so that one clock alone ends a request
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


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most_bytes:
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
