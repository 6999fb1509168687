"""What can happen to a saga."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.quick import quick
from shared.saga.state import Plan
from shared.statuses import Channel, NotificationStatus, OutcomeKind


class Why(StrEnum):
    """Why a channel is passed over, as the person reads it in the timeline."""

    NOT_CONFIGURED = "this installation does not send on this channel"
    UNKNOWN_USER = "nobody knows this user"
    NO_ADDRESS = "the user has no address for this channel"
    OPTED_OUT = "the user does not want this category here"
    SUPPRESSED = "the address is suppressed"
    CAPPED = "the user has had as many messages of this kind here as they are to have for now"
    SUPERSEDED = "a newer notification has taken its place"


QUIET_HOURS = "quiet hours: it waits for their end"
"""Why a delivery is deferred, as the person reads it in the timeline. The claims say it in SQL."""

ERASED = "the person was erased"
"""What is left of every reason that may have held their data."""

BY_WISH = frozenset({Why.OPTED_OUT, Why.SUPPRESSED, Why.CAPPED})
"""The person's own doing: a notification that meets nothing else is skipped, not failed."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """The facts for choosing the channels: every channel of the workflow in order, with why it cannot be used.

    `expires_after_seconds` is the workflow's word, `has_own_expiry` says that the event has one, too. `only` is the
    channel that the request names; no other is wanted then. `left_alone` says on which channels nothing may be sent
    now, and until when.
    """

    plan: Plan
    wanted: tuple[Channel, ...]
    obstacles: Mapping[Channel, Why] = field(default_factory=dict)
    preferred: Channel | None = None
    only: Channel | None = None
    expires_after_seconds: float | None = None
    has_own_expiry: bool = False
    left_alone: Mapping[Channel, datetime] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecorded:
    """An attempt's row, as the claim's token finds it.

    `choice` says why it went to another provider than the first. `undelivered` is what the provider reported if it
    took the message and could not deliver it: with it, a success is none.
    """

    channel: Channel
    epoch: int
    attempt: int
    token: UUID
    outcome: OutcomeKind
    code: str = ""
    reason: str = ""
    retry_after_seconds: float | None = None
    withheld: bool = False
    choice: str = ""
    undelivered: str | None = None


class Receipt(StrEnum):
    """What the far side said after it was sent."""

    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRecorded:
    """A receipt's row."""

    channel: Channel
    epoch: int
    receipt: Receipt
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Looked:
    """Time has passed: a deadline, an expiry, a lease, or nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensated:
    """What could be undone was undone."""

    retracted: frozenset[Channel] = frozenset()
    not_undone: Mapping[Channel, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A person wants it tried again."""

    by: str
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Its caller calls it back. `by` is safe to be read by anybody of the tenant."""

    by: str


@dataclass(frozen=True, slots=True)
class Erased:
    """The person is forgotten: nothing is sent any more, and nothing is replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """It has joined a digest, which is of use until `kept_until`. An expiry of its own goes before that."""

    digest_id: UUID
    kept_until: datetime
    has_own_expiry: bool = False


@dataclass(frozen=True, slots=True)
class Gathered:
    """The window of its digest has closed."""

    is_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The window of this digest has closed, with so many events in it."""

    count: int


@dataclass(frozen=True, slots=True)
class LeftEmpty:
    """Nothing was left in this digest when its window closed."""


@dataclass(frozen=True, slots=True)
class Followed:
    """This is where its digest stands now."""

    status: NotificationStatus
    reason: str


Occurrence = (
    Routed
    | AttemptRecorded
    | ReceiptRecorded
    | Looked
    | Compensated
    | Replayed
    | Cancelled
    | Erased
    | Collected
    | Gathered
    | Closed
    | LeftEmpty
    | Followed
)
