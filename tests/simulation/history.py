"""Everything that happened in one run, in order: for the invariants, and for the story of a run that broke one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.statuses import Channel, DeliveryStatus, NotificationStatus
from shared.store.claims import Command


class Event(NamedTuple):
    """One thing that happened: `what` is a word of the story, `values` what it was about, as it was given."""

    at: float
    who: str
    what: str
    values: tuple[Any, ...]
    details: tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A provider has taken a message: what the world knows, whatever we know of it."""

    at: float
    notification: UUID
    channel: Channel
    epoch: int
    attempt: int
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A provider was called: when our code asked for it, under which claim, and when that was taken."""

    asked_at: float
    command: Command
    channel: Channel
    user_id: str
    token: UUID | None
    claimed_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A notification's committed status changed."""

    at: float
    notification: UUID
    before: NotificationStatus | None
    after: NotificationStatus
    epoch_before: int
    epoch: int
    has_dead_letter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMoved:
    """A delivery's committed status changed, or it is new."""

    at: float
    notification: UUID
    channel: Channel
    before: DeliveryStatus | None
    after: DeliveryStatus
    epoch: int
    reason: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A person has said whether a category is wanted on a channel."""

    at: float
    user_id: str
    category: str
    channel: Channel
    enabled: bool


@dataclass(slots=True)
class History:
    """What happened."""

    events: list[Event] = field(default_factory=list)
    acceptances: list[Acceptance] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    moves: list[Moved] = field(default_factory=list)
    delivery_moves: list[DeliveryMoved] = field(default_factory=list)
    answered: dict[UUID, str] = field(default_factory=dict)
    cancelled: dict[UUID, float] = field(default_factory=dict)
    """When it was committed that a caller wants it back."""
    wishes: list[Wish] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    """What processes were told that they had done: their counters must say the same."""
    seen: Counter[str] = field(default_factory=Counter)
    """What this run has exercised."""

    def tell(self, at: float, who: str, what: str, values: tuple[Any, ...], details: tuple[Any, ...]) -> None:
        """Add a line to the story."""
        self.events.append(Event(at, who, what, values, details))

    def forget_traces(self) -> None:
        """Let go of what noted failures hold on to: the frames that they came through, and by them the world."""
        noted = (value for event in self.events for value in (*event.values, *event.details))
        for failure in (item for value in noted if isinstance(value, list) for item in value):
            if isinstance(failure, BaseException):
                failure.with_traceback(None).__context__ = None

    def violate(self, sentence: str) -> None:
        """Note a promise that was broken while it was watched."""
        if sentence not in self.violations:
            self.violations.append(sentence)
