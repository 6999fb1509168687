"""Twilio's stand-in: its Messages resource, and the status callbacks that it posts.

What becomes of a message the recipient's number says (`behaviours.py`), here in Twilio's own words. One more kind of
number is Twilio's alone: `+15005` and an error code that begins with 30 or 63, then one free digit. Its messages are
taken, and end as `undelivered` with that code: `+15005300030` is a phone that cannot be reached.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import aiohttp
from aiohttp import web

from infrastructure.sandbox.behaviours import Behaviour
from infrastructure.sandbox.http import Answer, Call, Room, Table, http_date
from infrastructure.sandbox.mailbox import Content, Received
from shared.statuses import Channel

SMS_SENDER, WHATSAPP_SENDER = "+15005550006", "+15005550007"
PREFIX = "whatsapp:"
MAX_TEXT_LENGTH = 1600
SERVICE_SENDERS = {Channel.SMS: SMS_SENDER, Channel.WHATSAPP: PREFIX + WHATSAPP_SENDER}
"""The number that any messaging service chooses."""

PAUSE_SECONDS = 30
CALLBACK_SECONDS = 5.0

_FAILING = re.compile(r"\+15005((?:30|63)\d{3})\d")


def failing_number(code: int, free: int = 0) -> str:
    """Write a number whose messages are taken and then end as undelivered, with this error code."""
    return f"+15005{code}{free}"


def refusal(status: int, code: int, text: str = "Refused", **headers: str) -> Answer:
    """Say no as Twilio does."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(
        status=status, body={"code": code, "message": text, "more_info": more, "status": status}, headers=headers
    )


NOT_AUTHENTICATED = refusal(401, 20003, "Authenticate")
NO_TO = refusal(400, 21604, "A 'To' phone number is required.")
NO_FROM = refusal(400, 21603, "A 'From' phone number is required.")
NO_BODY = refusal(400, 21602, "Message body is required.")
TOO_LONG = refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit.")


def table_of(channel: Channel) -> Table:
    """List what Twilio says to each behaviour."""
    is_sms = channel is Channel.SMS
    return {
        Behaviour.REFUSED: refusal(400, 21211) if is_sms else refusal(400, 63003),
        Behaviour.BLOCKED: refusal(400, 21610),
        Behaviour.FULL: refusal(400, 21611) if is_sms else refusal(400, 63018),
        Behaviour.THROTTLED: refusal(429, 20429, **{"Retry-After": str(PAUSE_SECONDS)}),
        Behaviour.THROTTLED_UNTIL: refusal(429, 20429, **{"Retry-After": http_date(PAUSE_SECONDS, time.time())}),
        Behaviour.THROTTLED_BARE: refusal(429, 20429),
        Behaviour.TEMPFAIL: refusal(503, 20503),
        Behaviour.UNTRUSTED: NOT_AUTHENTICATED,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A message that Twilio is asked to send."""

    to: str
    sender: str
    service: str
    text: str
    template: str
    variables: str
    callback: str

    @classmethod
    def read(cls, form: Mapping[str, Any]) -> Order:
        """Read the form."""
        names = ("To", "From", "MessagingServiceSid", "Body", "ContentSid", "ContentVariables", "StatusCallback")
        return cls(**dict(zip(cls.__slots__, (str(form.get(name, "")) for name in names), strict=True)))

    @property
    def channel(self) -> Channel:
        """Tell the channel by the prefix."""
        return Channel.WHATSAPP if self.to.startswith(PREFIX) else Channel.SMS

    @property
    def number(self) -> str:
        """The number without the prefix."""
        return self.to.removeprefix(PREFIX)

    def flaw(self) -> Answer | None:
        """Find what Twilio refuses whoever it is for."""
        flaws = (
            (not self.to, NO_TO),
            (not self.sender and not self.service, NO_FROM),
            (not self.text and not self.template, NO_BODY),
            (len(self.text) > MAX_TEXT_LENGTH, TOO_LONG),
        )
        return next((answer for is_so, answer in flaws if is_so), None)

    def message(self, sid: str) -> Received:
        """Write it for the mailbox."""
        said = {"MessagingServiceSid": self.service, "ContentSid": self.template, "ContentVariables": self.variables}
        headers = {name: value for name, value in said.items() if value}
        content = Content(text=self.text, headers=headers, message_id=sid)
        sender = self.sender or SERVICE_SENDERS[self.channel]
        return Received(channel=self.channel, to=self.number, sender=sender, content=content)


class TwilioStandIn:
    """The stand-in. Its account is the same in every room, its token new in every process unless one is given."""

    name = "twilio"

    def __init__(self, auth_token: str | None = None) -> None:
        self.account_sid = f"AC{'5' * 32}"
        self.auth_token = auth_token or secrets.token_hex(16)

    def routes(self, room: Room) -> Iterable[web.RouteDef]:
        """List the routes."""
        path = "/2010-04-01/Accounts/{account}/Messages.json"

        async def create(request: web.Request) -> web.StreamResponse:
            if not self._is_ours(request):
                return NOT_AUTHENTICATED.response()
            order = Order.read(await request.post())
            flaw = order.flaw()
            return flaw.response() if flaw else await room.meet(self._call(room, order))

        async def look_up(request: web.Request) -> web.StreamResponse:
            if not self._is_ours(request):
                return NOT_AUTHENTICATED.response()
            return await room.meet(self._look_up(room, request.query))

        return [web.post(path, create), web.get(path, look_up)]

    def sign(self, url: str, form: Mapping[str, str]) -> str:
        """Sign a callback: HMAC-SHA1 over the address and the form, sorted by name."""
        text = url + "".join(name + form[name] for name in sorted(form))
        return base64.b64encode(hmac.digest(self.auth_token.encode(), text.encode(), hashlib.sha1)).decode()

    def _is_ours(self, request: web.Request) -> bool:
        login = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        is_known = request.headers.get("Authorization") == f"Basic {login}"
        return is_known and request.match_info["account"] == self.account_sid

    def _call(self, room: Room, order: Order) -> Call:
        sid = f"SM{secrets.token_hex(16)}"

        def kept() -> Received:
            if order.callback:
                room.begin(self._report(order, sid))
            return order.message(sid)

        return Call(
            to=order.number,
            key="|".join((order.to, order.text, order.template, order.variables)),
            message=kept,
            accepted=Answer(status=201, body=self._record(order.message(sid), status="queued", code=None)),
            table=table_of(order.channel),
        )

    def _look_up(self, room: Room, query: Mapping[str, str]) -> Call:
        to, sender = query.get("To", ""), query.get("From")
        channel = Channel.WHATSAPP if to.startswith(PREFIX) else Channel.SMS
        there = room.mailbox.newest(channel=channel, to=to.removeprefix(PREFIX))
        found = [message for message in there if sender in {None, message.sender}][: int(query.get("PageSize", 50))]
        records = [self._record(message, *_end(message.to)) for message in found]
        return Call(
            to=looking_for(to),
            key=looking_for(to),
            message=None,
            accepted=Answer(body={"messages": records, "page": 0, "next_page_uri": None}),
            table=table_of(channel),
        )

    def _record(self, message: Received, status: str, code: int | None) -> dict[str, Any]:
        """Describe a message as Twilio does. It is in the queue, so it has not been sent at any time yet."""
        prefix = PREFIX if message.channel is Channel.WHATSAPP else ""
        created = formatdate(message.received_at.timestamp())
        return {
            "account_sid": self.account_sid,
            "sid": message.content.message_id,
            "to": prefix + message.to,
            "from": message.sender,
            "messaging_service_sid": message.content.headers.get("MessagingServiceSid"),
            "body": message.content.text,
            "status": status,
            "error_code": code,
            "date_created": created,
            "date_updated": created,
            "date_sent": None,
            "direction": "outbound-api",
            "num_segments": "1",
        }

    async def _report(self, order: Order, sid: str) -> None:
        """Post what becomes of a message, step by step; who does not answer is not asked again."""
        end, code = _end(order.number)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALLBACK_SECONDS)) as session:
            for status in ("sent", end):
                form = {
                    "AccountSid": self.account_sid,
                    "MessageSid": sid,
                    "MessageStatus": status,
                    "To": order.to,
                    "From": order.sender,
                }
                if code is not None and status == end:
                    form["ErrorCode"] = str(code)
                headers = {"X-Twilio-Signature": self.sign(order.callback, form)}
                try:
                    async with session.post(order.callback, data=form, headers=headers):
                        pass
                except (aiohttp.ClientError, OSError):
                    return


def looking_for(to: str) -> str:
    """Write the name by which a look-up stands in a room's script, and among its calls."""
    return f"look-up of {to.removeprefix(PREFIX)}"


def _end(number: str) -> tuple[str, int | None]:
    """Tell how messages to a number end."""
    failing = _FAILING.fullmatch(number)
    return ("undelivered", int(failing[1])) if failing else ("delivered", None)


TWILIO = TwilioStandIn()
