"""What an inbox holds, and what is asked of it, as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One message in an inbox. `cursor` grows with every commit of that user: what is committed later is higher."""

    cursor: int
    notification_id: UUID
    epoch: int
    content: dict[str, Any] = field(repr=False)
    created_at: datetime
    acknowledged_at: datetime | None = None
    read_at: datetime | None = None
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A message to be put into an inbox."""

    tenant: str
    user_id: str
    notification_id: UUID
    epoch: int
    content: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A message that a person's client says it has."""

    tenant: str
    user_id: str
    notification_id: UUID


class Mark(StrEnum):
    """What a person does with a message. Each can be taken back by another."""

    READ = "read"
    UNREAD = "unread"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"


class Shelf(StrEnum):
    """Which part of an inbox is asked for."""

    UNREAD = "unread"  # neither read nor archived: what the badge counts
    ALL = "all"  # whatever is not archived
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has followed an inbox: the last cursor and the last change; None begins with what comes next."""

    tenant: str
    user_id: str
    cursor: int | None = None
    change: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """How one message is marked now, and the number of its last change."""

    notification_id: UUID
    number: int
    is_read: bool
    is_archived: bool
    is_retracted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What came after a place, oldest first, as one moment saw it.

    `last` and `changes` are the highest numbers of that moment, `unread` how many wait, counted up to `MOST_COUNTED`.
    What was not `is_all` goes on behind the last item and the last change.
    """

    last: int
    changes: int
    unread: int
    items: list[Item] = field(default_factory=list)
    marks: list[Change] = field(default_factory=list)
    is_all_items: bool = True
    is_all_marks: bool = True

    @property
    def is_all(self) -> bool:
        """Whether there was no more."""
        return self.is_all_items and self.is_all_marks
