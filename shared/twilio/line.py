"""The line to Twilio: the SDK's asynchronous client, over connections that are kept open.

Importing this costs a third of a second, so only whoever sends does.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import twilio.rest.api  # noqa: F401 - the SDK would import it at the first call, and the process stand still in it
from twilio.base import values
from twilio.base.exceptions import TwilioException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from shared.http_call import Http, Reply, Silence
from shared.twilio.answers import Ended, Said
from shared.twilio.sender import Account

MAX_ANSWER_BYTES = 2 * 1024 * 1024
NEWEST_LISTED = 100
"""So many messages to one person are looked through: the one that is looked for is among the newest."""

UNREADABLE = (TwilioException, ValueError, TypeError, AttributeError, LookupError)
"""What the SDK raises over a refusal, or an answer that it cannot read."""

T = TypeVar("T")


class Unanswered(Exception):
    """The SDK is to go no further: there is no answer, or none that it could read."""


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

    def __init__(self, http: Http, until: float) -> None:
        super().__init__(pool_connections=False)
        self.http = http
        self.until = until
        self.ended = Ended()

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
        answer = await self.http.ask(
            method.upper(),
            url,
            self.until,
            params=params,
            data=data,
            headers={**(headers or {}), "Authorization": f"Basic {login}"},
        )
        if isinstance(answer, Silence):
            self.ended = Ended(silence=answer)
            raise Unanswered
        self.ended = Ended(said=_said(answer))
        if answer.status < 300 and answer.document is None:
            raise Unanswered
        return Response(answer.status, answer.text, answer.headers)


class Line:
    """Connections to Twilio, opened when they are needed."""

    def __init__(self, account: Account, most_connections: int) -> None:
        self._account = account
        self._http = Http(most_connections, most_bytes=MAX_ANSWER_BYTES)

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
        await self._http.close()

    async def _call(self, ask: Callable[[Client], Awaitable[T]], until: float) -> T | Ended:
        call = Call(self._http, until)
        try:
            return await ask(self._client(call))
        except (Unanswered, *UNREADABLE):
            return call.ended

    def _client(self, call: Call) -> Client:
        # An empty environment would make the SDK read the process's, where TWILIO_EDGE changes the host.
        sid = self._account.sid
        client = Client(sid, self._account.token, http_client=call, environment={"TWILIO_ACCOUNT_SID": sid})
        client.api.base_url = self._account.base_url
        return client


def _said(answer: Reply) -> Said:
    code = answer.document.get("code") if answer.document and answer.status >= 300 else None
    return Said(
        status=answer.status,
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        retry_after=answer.headers.get("Retry-After"),
    )


def _message(record: Any) -> Message:
    if not isinstance(record.sid, str) or not record.sid:
        raise Unanswered
    senders = {name for name in (record.from_, record.messaging_service_sid) if isinstance(name, str)}
    return Message(
        sid=record.sid,
        status=str(record.status),
        error_code=record.error_code if isinstance(record.error_code, int) else None,
        senders=frozenset(senders),
        body=str(record.body or ""),
        created_at=record.date_created,
    )
