"""Telegram's stand-in: two methods of the Bot API, in its own words.

Besides the chats of `behaviours.py` there are three of its own, as constants here.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from typing import Any

from aiohttp import web

from infrastructure.sandbox.behaviours import Behaviour, behaviour_of
from infrastructure.sandbox.http import Answer, Call, Room, Table, http_date
from infrastructure.sandbox.mailbox import Content, Received
from shared.statuses import Channel

TOKEN = "500555:sandbox"  # noqa: S105 - opens nothing
GROUP, SUPERGROUP = "-500555", "-1005005550000"
"""A group that has become a supergroup: what is sent to the first is answered with the second."""
KEEPING_CHAT = "5005559999"
"""A chat in which the messages with odd numbers cannot be deleted, as if they were older than 48 hours."""

PAUSE_SECONDS = 3
LONGEST_TEXT = 4096
MESSAGES_REMEMBERED = 10_000


def refusal(code: int, description: str, **parameters: object) -> Answer:
    """Write a refusal as the Bot API does; a pause is in the header, too."""
    body: dict[str, object] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    pause = parameters.get("retry_after")
    return Answer(status=code, body=body, headers={"Retry-After": str(pause)} if pause else {})


def taken(result: object) -> Answer:
    """Write what the Bot API says to what it has done."""
    return Answer(body={"ok": True, "result": result})


TABLE: Table = {
    Behaviour.REFUSED: refusal(400, "Bad Request: chat not found"),
    Behaviour.BLOCKED: refusal(403, "Forbidden: bot was blocked by the user"),
    Behaviour.FULL: refusal(400, "Bad Request: not enough rights to send text messages to the chat"),
    Behaviour.THROTTLED: refusal(429, f"Too Many Requests: retry after {PAUSE_SECONDS}", retry_after=PAUSE_SECONDS),
    Behaviour.THROTTLED_BARE: refusal(429, "Too Many Requests"),
    Behaviour.TEMPFAIL: refusal(502, "Bad Gateway"),
    Behaviour.UNTRUSTED: refusal(401, "Unauthorized"),
}
MIGRATED = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=int(SUPERGROUP))


def table() -> Table:
    """Write what Telegram says in each case; a date is of this moment."""
    bare = TABLE[Behaviour.THROTTLED_BARE]
    return {
        **TABLE,
        Behaviour.THROTTLED_UNTIL: replace(bare, headers={"Retry-After": http_date(PAUSE_SECONDS, time.time())}),
    }


class Telegram:
    """The bot's side of Telegram."""

    name = "telegram"

    def routes(self, room: Room) -> Iterable[web.RouteDef]:
        """List the routes."""
        chats = _Chats(room)
        return [
            web.post("/bot{token}/sendMessage", chats.send),
            web.post("/bot{token}/deleteMessage", chats.delete),
        ]


class _Chats:
    """The chats of one sandbox, and what is in them."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._numbers = count(1)
        self._messages: OrderedDict[tuple[str, int], Received] = OrderedDict()

    async def send(self, request: web.Request) -> web.Response:
        """Take a message."""
        if request.match_info["token"] != TOKEN:
            return TABLE[Behaviour.UNTRUSTED].response()
        raw = await request.read()
        fields = json.loads(raw)
        chat, number = str(fields["chat_id"]), next(self._numbers)
        text = seen(fields["text"])
        if fault := _fault(text):
            return fault.response()
        if chat == GROUP:
            self._room.will_answer(chat, MIGRATED)

        def message() -> Received:
            return self._keep(chat, number, raw, fields, text or "")

        call = Call(
            to=chat,
            key=f"{chat} {fields['text']}",
            message=message,
            accepted=taken({"message_id": number, "chat": {"id": chat}, "date": int(time.time()), "text": text}),
            table=table(),
        )
        return await self._room.meet(call)

    async def delete(self, request: web.Request) -> web.Response:
        """Take a message out of its chat."""
        if request.match_info["token"] != TOKEN:
            return TABLE[Behaviour.UNTRUSTED].response()
        await asyncio.sleep(self._room.moods.latency_seconds)
        fields = await request.json()
        chat, number = str(fields["chat_id"]), int(fields["message_id"])
        if refused := table().get(behaviour_of(chat)):
            return refused.response()
        if chat == KEEPING_CHAT and number % 2:
            return refusal(400, "Bad Request: message can't be deleted").response()
        message = self._messages.pop((chat, number), None)
        if message is None:
            return refusal(400, "Bad Request: message to delete not found").response()
        self._room.mailbox.take_out(message)
        return taken(result=True).response()

    def _keep(self, chat: str, number: int, raw: bytes, fields: Mapping[str, Any], text: str) -> Received:
        told = {name: str(value) for name, value in fields.items() if name not in {"chat_id", "text"}}
        content = Content(text=text, html=fields["text"], headers=told, message_id=str(number))
        message = Received(channel=Channel.TELEGRAM, to=chat, sender=self._room.name, raw=raw, content=content)
        self._messages[chat, number] = message
        if len(self._messages) > MESSAGES_REMEMBERED:
            self._messages.popitem(last=False)
        return message


class _Seen(HTMLParser):
    """What a person sees of a message."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []
        self.is_broken = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.is_broken |= tag not in {"b", "i", "u", "s", "a", "code", "pre", "blockquote"}

    def handle_endtag(self, tag: str) -> None:
        self.is_broken |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.text += data


def seen(html: str) -> str | None:
    """Read a message as Telegram does; None if its tags make no sense."""
    parser = _Seen()
    parser.feed(html)
    parser.close()
    return None if parser.is_broken or parser.open else parser.text.strip()


def _fault(text: str | None) -> Answer | None:
    if text is None:
        return refusal(400, "Bad Request: can't parse entities")
    if not text:
        return refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > LONGEST_TEXT:
        return refusal(400, "Bad Request: message is too long")
    return None
