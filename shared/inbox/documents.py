"""An inbox item as clients get it: over a socket, in a stream, and in a page."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from shared.store.inbox import Item


class InboxItem(BaseModel):
    """One message of an inbox."""

    id: Annotated[UUID, Field(description="The notification's id.")]
    cursor: Annotated[int, Field(description="Its number: the messages of each person count from 1.")]
    created_at: datetime
    event_type: str
    subject: str
    message: str
    acknowledged_at: datetime | None
    read_at: datetime | None
    archived_at: datetime | None


class InboxPage(BaseModel):
    """A page of an inbox, newest first."""

    items: list[InboxItem]
    next_cursor: Annotated[str | None, Field(description="Of the page with what is older; null on the last one.")]
    unread: Annotated[int, Field(description="How many wait unread in the whole inbox; it is counted up to 1,000.")]
    since: Annotated[int, Field(description="A socket or stream with this `since` and `change` begins behind this.")]
    change: int


def write_item(item: Item) -> dict[str, Any]:
    """Write an item; what its content holds besides comes along."""
    return {
        "id": str(item.notification_id),
        "cursor": item.cursor,
        "created_at": item.created_at.isoformat(timespec="milliseconds"),
        "event_type": "",
        "subject": "",
        "message": "",
        **item.content,
        "acknowledged_at": _moment(item.acknowledged_at),
        "read_at": _moment(item.read_at),
        "archived_at": _moment(item.archived_at),
    }


def frame(kind: str, **more: Any) -> str:
    """Write a frame of one type."""
    return json.dumps({"type": kind, **more})


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
