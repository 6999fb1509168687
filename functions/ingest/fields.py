"""The fields of what clients post, each with its rule."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from shared.timestamps import read_timestamp

MAX_SOURCE_BYTES = 512
"""Source and key are indexed together; Postgres refuses index rows beyond 2,704 bytes."""

MAX_DAYS_AHEAD = 366
"""So far ahead a notification may be scheduled."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _identifier(value: object) -> object:
    """Let 1 equal "1". To Python a boolean is an integer; to the people who post it, it is not."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("identifier", "It must be an integer or a string")
    if not value.strip() or (not value.isprintable() and _CONTROL.search(value)):
        raise PydanticCustomError("identifier", "It must not be blank or hold control characters")
    return value


def _timestamp(value: object) -> object:
    moment = read_timestamp(value) if isinstance(value, str) else None
    if value is not None and moment is None:
        raise PydanticCustomError("timestamp", "It must be an RFC 3339 timestamp, such as 2026-11-20T10:00:00Z")
    return moment


def _expiry(value: object) -> object:
    moment = _timestamp(value)
    if isinstance(moment, datetime) and moment <= datetime.now(UTC):
        raise PydanticCustomError("expired", "It must not be in the past")
    return moment


def _due(value: object) -> object:
    moment = _timestamp(value)
    if isinstance(moment, datetime) and moment > datetime.now(UTC) + timedelta(days=MAX_DAYS_AHEAD):
        raise PydanticCustomError("too_far", f"It may be {MAX_DAYS_AHEAD} days ahead at most")
    return moment


def _message(value: object) -> object:
    if isinstance(value, str) and value and not value.strip():
        raise PydanticCustomError("blank", "It must not be blank")
    return value


def _indexable(value: str) -> str:
    if len(value.encode()) > MAX_SOURCE_BYTES:
        raise PydanticCustomError("too_long", f"It may have {MAX_SOURCE_BYTES} bytes at most")
    return value


def _said_as(max_length: int, about: str) -> WithJsonSchema:
    """Tell clients what an identifier may be: its validators are code, which no schema shows."""
    text = {"type": "string", "minLength": 1, "maxLength": max_length, "pattern": WRITTEN}
    return WithJsonSchema({"anyOf": [text, INTEGER], "description": about})


WRITTEN = r"^[^\x00-\x1f\x7f-\x9f]+$"
"""No control characters; that there is more than blanks, no pattern says in a way that every tool can follow."""

INTEGER = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
MOMENT: dict[str, Any] = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
_TIMESTAMP = WithJsonSchema({**MOMENT, "description": "When it happened, as RFC 3339 writes it."})
_EXPIRY = WithJsonSchema({**MOMENT, "description": "After this it is of no use any more: in the future."})
_SEND_AT = WithJsonSchema({**MOMENT, "description": f"When it is due, {MAX_DAYS_AHEAD} days ahead at most."})
_TEXT = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 65_536, "pattern": r"\S"})

UserId = Annotated[
    str,
    StringConstraints(max_length=128),
    BeforeValidator(_identifier),
    _said_as(128, 'Whom it is for; 1 equals "1".'),
]
Key = Annotated[str, StringConstraints(max_length=255), BeforeValidator(_identifier), _said_as(255, "A name for it.")]
Source = Annotated[
    str,
    AfterValidator(_indexable),
    BeforeValidator(_identifier),
    _said_as(MAX_SOURCE_BYTES, f"Where it comes from, {MAX_SOURCE_BYTES} bytes at most."),
]
EventType = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
Timestamp = Annotated[datetime | None, BeforeValidator(_timestamp), _TIMESTAMP]
Expiry = Annotated[datetime | None, BeforeValidator(_expiry), _EXPIRY]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=65_536), BeforeValidator(_message), _TEXT]
SendAt = Annotated[datetime | None, BeforeValidator(_due), _SEND_AT]
