"""The fields of what clients post, each with its rule."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints
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


UserId = Annotated[str, StringConstraints(max_length=128), BeforeValidator(_identifier)]
Key = Annotated[str, StringConstraints(max_length=255), BeforeValidator(_identifier)]
Source = Annotated[str, AfterValidator(_indexable), BeforeValidator(_identifier)]
EventType = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
Timestamp = Annotated[datetime | None, BeforeValidator(_timestamp)]
Expiry = Annotated[datetime | None, BeforeValidator(_expiry)]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=65_536), BeforeValidator(_message)]
SendAt = Annotated[datetime | None, BeforeValidator(_due)]
