"""What a client may say over its socket, and how what it asks for in its address is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.requests import HTTPConnection

from functions.realtime.audience import Listener
from shared import strict_json
from shared.access import Caller
from shared.errors import Refused
from shared.inbox.paging import MOST_LISTED, USUALLY_LISTED
from shared.store.inbox import Mark, Shelf

MAX_FRAME_BYTES = 16_384
PING, ACKNOWLEDGE, LIST = "ping", "ack", "list"

USER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,128}")
_EVENT_ID = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,18}))?")
_CURSOR = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Said:
    """A frame of a client: an acknowledgement or a mark with ids, a ping, or the wish for a page.

    `is_about_all`: everything was read, up to `until`, or up to now.
    """

    kind: str
    ids: list[UUID] = field(default_factory=list)
    is_about_all: bool = False
    until: int | None = None
    shelf: Shelf = Shelf.ALL
    cursor: str | None = None
    limit: int = USUALLY_LISTED


def read_frame(text: str) -> Said | None:
    """Read what a client says; None when it is nothing that a client may."""
    try:
        document: Any = strict_json.parse(text.encode(), MAX_FRAME_BYTES)
        kind = document["type"]
        if kind == PING:
            return Said(PING)
        if kind == LIST:
            return _read_list(document)
        if kind == Mark.READ and "all" in document:
            return _read_everything(document)
        ids = document["ids"] if "ids" in document else [document["id"]]
        return Said(kind, [UUID(key) for key in ids]) if kind in _WITH_IDS else None
    except (Refused, ValueError, LookupError, AttributeError, TypeError):
        return None


_WITH_IDS = frozenset({ACKNOWLEDGE, *(mark.value for mark in Mark)})


def _read_everything(document: dict[str, Any]) -> Said | None:
    until = document.get("until")
    if document["all"] is not True or not (until is None or (type(until) is int and until >= 0)):
        return None
    return Said(Mark.READ, is_about_all=True, until=until)


def _read_list(document: dict[str, Any]) -> Said | None:
    limit, cursor = document.get("limit", USUALLY_LISTED), document.get("cursor")
    if type(limit) is not int or not 1 <= limit <= MOST_LISTED:
        return None
    if cursor is not None and not _CURSOR.fullmatch(cursor):
        return None
    return Said(LIST, shelf=Shelf(document.get("status", Shelf.ALL)), cursor=cursor, limit=limit)


def read_listener(connection: HTTPConnection, caller: Caller) -> Listener:
    """Read whose inbox is to be followed, and from where.

    Raises:
        Refused: 422, with the name of the field.
    """
    user_id = str(connection.path_params["user_id"])
    if not USER_ID.fullmatch(user_id):
        raise Refused(422, "Invalid address", "It holds characters that it must not.", field="user_id")
    cursor, change = _number(connection, "since"), _number(connection, "change")
    return Listener(tenant=caller.tenant, user_id=user_id, cursor=cursor, change=change)


def resume(listener: Listener, last_event_id: str | None) -> None:
    """Let a stream go on where a browser says that it broke off: what it says of itself is newer than its address.

    Raises:
        Refused: 422, it is no id of ours.
    """
    if not last_event_id:
        return
    found = _EVENT_ID.fullmatch(last_event_id)
    if not found:
        raise Refused(422, "Invalid cursor", "It must be the id of an event.", field="Last-Event-ID")
    listener.cursor = int(found[1])
    listener.change = int(found[2]) if found[2] else listener.change


def _number(connection: HTTPConnection, name: str) -> int | None:
    text = connection.query_params.get(name)
    if text is None:
        return None
    if not _CURSOR.fullmatch(text):
        raise Refused(422, "Invalid cursor", "It must be a whole number, 0 for everything kept.", field=name)
    return int(text)
