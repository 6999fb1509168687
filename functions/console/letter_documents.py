"""What operators ask about dead letters, and are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.problem_document import Problem
from shared.queries import Cursor, Number, Time, Words
from shared.statuses import Channel, NotificationStatus
from shared.store.letters import LetterFilter
from shared.whole_numbers import WHOLE

LetterStatus = Literal["open", "replayed", "resolved", "discarded"]
LetterKind = Literal["notification", "unknown", "garbage", "internal"]
MOST_LISTED, USUALLY_LISTED = 100, 50
LARGEST_SET = 1_000

Reason = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ids = Annotated[list[UUID], Field(min_length=1, max_length=LARGEST_SET)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _Filters(_Asked):
    kind: LetterKind | None = None
    channel: Channel | None = None
    event_type: Words | None = None
    user_id: Words | None = None
    reason: Annotated[Words | None, Field(description="A part of the reason, in whatever case.")] = None
    created_after: Time | None = None
    created_before: Time | None = None

    def filter(self, status: str) -> LetterFilter:
        """Say which dead letters are asked for."""
        said = {name: getattr(self, name) for name in _Filters.model_fields}
        return LetterFilter(status=status, **said)


class LetterQuery(_Filters):
    """The query of a list, as it stands in the address."""

    status: LetterStatus = "open"
    limit: Annotated[Number, Field(ge=1, le=MOST_LISTED)] = USUALLY_LISTED
    cursor: Cursor | None = None


class OpenLetters(_Filters):
    """Open dead letters: all that match."""

    status: Literal["open"] = "open"


class ReplayAsked(_Asked):
    """Which sagas are to start over: those of some dead letters by their ids, or of the oldest that match."""

    ids: Ids | None = None
    filter: OpenLetters | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=LARGEST_SET), WHOLE] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("say either ids, or a filter")
        if self.ids is not None and self.limit is not None:
            raise ValueError("a limit goes with a filter")
        return self


class DiscardAsked(_Asked):
    """Why a dead letter needs nobody any more."""

    reason: Reason


class DiscardsAsked(DiscardAsked):
    """The same of several."""

    ids: Ids


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
    settled_by: Annotated[str | None, Field(description="Who replayed or discarded it.")]
    settled_reason: Annotated[str | None, Field(description="Why it was discarded.")]
    user_id: str | None
    event_type: str | None
    channels: Annotated[list[Channel], Field(description="Those that its notification was asked for on.")]


class DeadLetters(BaseModel):
    """Dead letters, newest first."""

    dead_letters: list[DeadLetterDocument]
    next_cursor: Annotated[str | None, Field(description="Where the next page begins; null when there is none.")]


class Replay(BaseModel):
    """A saga that starts over."""

    id: Annotated[UUID, Field(description="The notification's id.")]
    status: NotificationStatus
    epoch: int


class LetterReplayed(BaseModel):
    """A saga that starts over, by its dead letter."""

    id: Annotated[UUID, Field(description="The dead letter's id.")]
    notification_id: UUID
    status: NotificationStatus
    epoch: int


class LetterDiscarded(BaseModel):
    """A dead letter that needs nobody any more."""

    id: UUID
    status: Literal["discarded"] = "discarded"


class LetterRefused(BaseModel):
    """One of many with which nothing was done."""

    id: UUID
    problem: Problem


class Replays(BaseModel):
    """What became of each. `left` counts open ones that still match the filter; null where there was none."""

    results: list[LetterReplayed | LetterRefused]
    left: int | None


class Discards(BaseModel):
    """What became of each."""

    results: list[LetterDiscarded | LetterRefused]
