"""How it is going, as operators are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store.breakers import BreakerState


class ChannelMinute(BaseModel):
    """What became of one channel in a minute."""

    sent: Annotated[int, Field(description="Calls that a provider took.")]
    delivered: Annotated[int, Field(description="Receipts that say so.")]
    failed: Annotated[int, Field(description="Calls that failed for good, and what was reported as not delivered.")]


class MinuteDocument(BaseModel):
    """One minute."""

    at: datetime
    accepted: int
    failed: Annotated[int, Field(description="Notifications that failed.")]
    channels: dict[Channel, ChannelMinute]


class InFlight(BaseModel):
    """What has not ended, up to 50,000."""

    total: int
    by_status: dict[NotificationStatus, int]


class OldestDocument(BaseModel):
    """Who has waited longest to be sent."""

    id: UUID
    status: NotificationStatus
    created_at: datetime
    age_seconds: float


class ProviderDocument(BaseModel):
    """One provider, its breaker, and what it answered in the last 15 minutes."""

    provider: str
    state: BreakerState
    until: Annotated[datetime | None, Field(description="Until when nothing is tried there.")]
    failures: Annotated[int, Field(description="Failures in a row.")]
    outcomes: dict[OutcomeKind, int]


class ChannelDocument(BaseModel):
    """One channel and its providers."""

    channel: Channel
    providers: list[ProviderDocument]


class StuckDocument(BaseModel):
    """What is owed a step for more than two minutes, and nobody has come."""

    id: UUID
    user_id: str
    event_type: str
    status: NotificationStatus
    reason: str
    created_at: datetime
    waiting_seconds: float


class OpenLetters(BaseModel):
    """What waits for a person."""

    open: int


class OverviewDocument(BaseModel):
    """How it is going: at most two seconds old."""

    at: datetime
    minutes: Annotated[list[MinuteDocument], Field(description="Thirty, the oldest first; the last one is now.")]
    in_flight: InFlight
    oldest: OldestDocument | None
    channels: list[ChannelDocument]
    stuck: Annotated[list[StuckDocument], Field(description="The oldest 20.")]
    dead_letters: OpenLetters
