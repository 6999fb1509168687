"""What operators say, and are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.statuses import Channel, NotificationStatus

LetterStatus = Literal["open", "replayed", "resolved", "discarded"]


class SuppressionDocument(BaseModel):
    """Why nothing is to be sent to an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SuppressionAnswer(BaseModel):
    """An address to which nothing is sent any more."""

    channel: Channel
    address: str
    reason: str
    created_at: datetime


class Suppressions(BaseModel):
    """A page of suppressions."""

    suppressions: list[SuppressionAnswer]
    next_cursor: Annotated[str | None, Field(description="Where the next page begins; null when there is none.")]


class DeadLetterDocument(BaseModel):
    """What needs a person."""

    id: UUID
    kind: Annotated[str, Field(description="A notification that failed or is unknown, garbage, or a failure of ours.")]
    status: LetterStatus
    notification_id: UUID | None
    epoch: int | None
    step: Annotated[str, Field(description="Where it happened.")]
    reason: str
    body_base64: Annotated[str | None, Field(description="The bytes as they came, if they are no event.")]
    created_at: datetime
    settled_at: datetime | None


class DeadLetters(BaseModel):
    """Dead letters, newest first."""

    dead_letters: list[DeadLetterDocument]


class Replay(BaseModel):
    """A saga that starts over."""

    id: Annotated[UUID, Field(description="The notification's id.")]
    status: NotificationStatus
    epoch: int
