"""The line to Twilio: the SDK's asynchronous client, over connections that are kept open.

Importing this costs a third of a second, so only whoever sends does.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import twilio.rest.api  # noqa: F401 - the SDK would import it at the first call, and the process stand still in it
from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from shared.twilio.answers import AnswerGarbled, Ended, Said
from shared.twilio.sender import Account

MAX_ANSWER_BYTES = 2 * 1024 * 1024
NEWEST_LISTED = 100
"""So many messages to one person are looked through: the one that is looked for is among the newest."""

UNREADABLE = (AnswerGarbled, TwilioException, ValueError, TypeError, AttributeError, LookupError)
"""What the SDK raises over a refusal, or an answer that it cannot read."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as Twilio has it."""

    sid: str
    status: str
    error_code: int | None
    senders: frozenset[str]  # the number, and the messaging service if there is one
    body: str = field(repr=False)
    created_at: datetime | None


class Call(AsyncTwilioHttpClient):  # type: ignore[misc]
    """One call of the SDK's, over a session that outlives it. It keeps what the SDK's errors leave out.

    The SDK's own has no bound and no deadline, and logs the number that is looked for.
    """

    def __init__(self, session: aiohttp.ClientSession, until: float) -> None:
        super().__init__(pool_connections=False)
        self.session = session
        self.until = until
        self.has_left = False
        self.said: Said | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Make the call; the deadline is the caller's."""
        login = base64.b64encode(":".join(auth or ()).encode()).decode()
        async with self.session.request(
            method.upper(),
            url,
            params=params,
            data=data,
            headers={**(headers or {}), "Authorization": f"Basic {login}"},
            allow_redirects=allow_redirects,
            trace_request_ctx=self,
        ) as response:
            text = await _read(response)
        document = _parse(text)
        self.said = _said(response, document)
        if response.status < 300 and document is None:
            raise AnswerGarbled
        return Response(response.status, text, response.headers)


class Line:
    """Connections to Twilio, opened when they are needed."""

    def __init__(self, account: Account, most_connections: int) -> None:
        self._account = account
        self._most_connections = most_connections
        self._session: aiohttp.ClientSession | None = None

    async def send(self, to: str, words: Mapping[str, str | int], until: float) -> Message | Ended:
        """Ask Twilio to send a message; `until` is on the loop's clock, as everywhere here."""

        async def create(client: Client) -> Message:
            return _message(await client.messages.create_async(to, **words))

        return await self._call(create, until)

    async def newest(self, to: str, sender: str | None, until: float) -> list[Message] | Ended:
        """List the newest messages to an address, from one sender if it is named."""

        async def fetch(client: Client) -> list[Message]:
            page = await client.messages.page_async(to=to, from_=sender or values.unset, page_size=NEWEST_LISTED)
            return [_message(record) for record in page]

        return await self._call(fetch, until)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _call(self, ask: Callable[[Client], Awaitable[T]], until: float) -> T | Ended:
        call = Call(self._open(), until)
        try:
            async with asyncio.timeout_at(until):
                return await ask(self._client(call))
        except (aiohttp.ClientError, OSError, *UNREADABLE) as failure:
            return Ended(said=call.said, has_left=call.has_left, failure=failure)

    def _client(self, call: Call) -> Client:
        # An empty environment would make the SDK read the process's, where TWILIO_EDGE changes the host.
        sid = self._account.sid
        client = Client(sid, self._account.token, http_client=call, environment={"TWILIO_ACCOUNT_SID": sid})
        client.api.base_url = self._account.base_url
        return client

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            tracing = aiohttp.TraceConfig()
            tracing.on_request_headers_sent.append(_leave)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._most_connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trace_configs=[tracing],
            )
        return self._session


async def _leave(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    """Let a request begin, or not: this is heard right before its first byte, on new connections and on old ones.

    This process may have been stopped for a minute while it connected.
    """
    call = context.trace_request_ctx
    if asyncio.get_running_loop().time() >= call.until:
        raise TimeoutError
    call.has_left = True


async def _read(response: aiohttp.ClientResponse) -> str:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            raise AnswerGarbled
    return body.decode(errors="replace")


def _parse(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _said(response: aiohttp.ClientResponse, document: Mapping[str, Any] | None) -> Said:
    code = document.get("code") if document and response.status >= 300 else None
    return Said(
        status=response.status,
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        retry_after=response.headers.get("Retry-After"),
    )


def _message(record: Any) -> Message:
    if not isinstance(record.sid, str) or not record.sid:
        raise AnswerGarbled
    senders = {name for name in (record.from_, record.messaging_service_sid) if isinstance(name, str)}
    return Message(
        sid=record.sid,
        status=str(record.status),
        error_code=record.error_code if isinstance(record.error_code, int) else None,
        senders=frozenset(senders),
        body=str(record.body or ""),
        created_at=record.date_created,
    )
