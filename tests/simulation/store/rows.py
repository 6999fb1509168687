"""The rows of the tables, frozen: a new state is a new record, and copying them is most of what is done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.outcomes import Device
from shared.saga import AttemptRecorded, Delivery, Entry, ReceiptRecorded, Saga
from shared.saga.state import Record
from shared.statuses import Channel, OutcomeKind
from shared.store.breakers import BreakerState
from shared.store.digests import Phase
from shared.store.fan_outs import NewFanOut


@dataclass(frozen=True, kw_only=True)
class NotificationRow(Record):
    """A notification. `saga` holds the columns that the saga reads, without deliveries."""

    saga: Saga
    user_id: str
    event_type: str
    source: str
    body_hash: bytes
    data: dict[str, Any] = field(repr=False)
    preferred: Channel | None = None
    has_own_expiry: bool = False
    collapse_key: str | None = None
    own_workflow: dict[str, Any] | None = None
    wishes: Mapping[str, str] | None = None
    is_routed: bool = False
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class FanOutRow(Record):
    """One event for many users, and how far it is."""

    new: NewFanOut
    created_at: datetime
    expanded: int = 0
    conflicting: int = 0
    looks: int = 0
    next_look_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryRow(Record):
    """A delivery. `delivery` holds the columns that the saga reads."""

    notification_id: UUID
    tenant: str
    delivery: Delivery
    content: dict[str, Any] | None = field(repr=False)
    claimed_at: datetime | None = None
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class AttemptRow(Record):
    """An attempt. `said` holds the columns that the saga reads."""

    notification_id: UUID
    tenant: str
    said: AttemptRecorded
    ambiguous: bool
    provider: str = ""
    provider_message_id: str | None = None
    started_at: datetime | None
    ended_at: datetime
    next_look_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ReceiptRow(Record):
    """A receipt."""

    notification_id: UUID
    said: ReceiptRecorded
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class TimelineRow(Record):
    """What one transaction told about a notification."""

    notification_id: UUID
    at: datetime
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class DeadLetterRow(Record):
    """A dead letter."""

    id: UUID
    tenant: str
    kind: str
    status: str = "open"
    notification_id: UUID | None = None
    epoch: int = 0
    step: str = ""
    reason: str
    body: bytes | None = None
    created_at: datetime
    settled_at: datetime | None = None
    settled_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class UndoingRow(Record):
    """How often a provider was asked to take something back, and what it said last."""

    tries: int = 1
    outcome: OutcomeKind | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class BreakerRow(Record):
    """A breaker."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened_until: datetime | None = None
    probe_token: UUID | None = None
    probe_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class InboxRow(Record):
    """A message in a person's inbox."""

    tenant: str
    user_id: str
    cursor: int
    notification_id: UUID
    epoch: int
    content: dict[str, Any] = field(repr=False)
    created_at: datetime
    acknowledged_at: datetime | None = None
    read_at: datetime | None = None
    archived_at: datetime | None = None
    retracted_at: datetime | None = None
    change: int | None = None

    @property
    def is_unread(self) -> bool:
        """Whether it waits."""
        return self.read_at is None and self.archived_at is None and self.retracted_at is None


@dataclass(frozen=True)
class CursorRow(Record):
    """How far a person's inbox is: the highest cursor, and the highest number of a change."""

    last: int = 0
    changes: int = 0


@dataclass(frozen=True, kw_only=True)
class PlaceRow(Record):
    """A delivery that a cap was asked about."""

    tenant: str
    user_id: str
    category: str
    is_granted: bool
    taken_at: datetime


@dataclass(frozen=True, kw_only=True)
class DigestRow(Record):
    """A window of a digest, beside the notification that carries it."""

    key: UUID
    phase: Phase = Phase.COLLECTING
    joined: int
    next_look_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class DeviceRow(Record):
    """A registration; without a device once it is removed."""

    user_id: str
    device: Device | None
