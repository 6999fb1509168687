"""The saga as records: what is known of one notification, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from shared.errors import IllegalTransition
from shared.quick import quick
from shared.statuses import (
    DELIVERY_TRANSITIONS,
    MEMBER_TRANSITIONS,
    NOTIFICATION_TRANSITIONS,
    UNDER_WAY,
    Channel,
    DeliveryStatus,
    NotificationStatus,
    OutcomeKind,
)

MAX_TAKEOVERS = 3
"""So many expired leases, and nobody can say any more whether the provider has it."""


class OnAmbiguous(StrEnum):
    """What to do when the provider may have taken it."""

    RESEND = "resend"  # try again: at least once
    HOLD = "hold"  # never twice: it ends unknown, for a person to decide


class Strategy(StrEnum):
    """How the channels of a notification follow each other."""

    FIRST = "first"  # one after the other, until one is sent
    ALL = "all"  # every one at once, and none for another
    ESCALATE = "escalate"  # one after the other, until somebody acknowledges


class RuleOf(StrEnum):
    """Whose rule an event type follows."""

    EVENT_TYPE = "event type"  # the tenant has one for it
    TENANT = "tenant"  # the tenant's default, `*`
    CARILLON = "carillon"  # neither: the one that is built in


class Record:
    """A frozen record that is copied often, with few changes.

    Its fields are in `__dict__`, not in slots: copied as one dictionary, a saga costs a fifth of what
    `dataclasses.replace` takes, which hands every field through the constructor (measured).
    """

    def but(self, **changes: object) -> Self:
        """Copy with changes."""
        if not changes.keys() <= self.__dict__.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(changes.keys() - self.__dict__.keys())}")
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(changes)
        return copy


@quick
@dataclass(frozen=True, kw_only=True)
class Plan(Record):
    """The workflow as it was when the notification was routed, pinned for its whole life.

    `steps` are the channels that can be used, in order; `passed` says why the others cannot. `correction` is the
    template of what follows a message that could not be taken back. `options` are those of the workflow, by channel
    (`shared/options.py`). `workflow` says which rule it was. `template_version` is the published
    one; None: there is only what is built in.
    """

    category: str = "general"
    template: str = "plain"
    template_version: int | None = None
    steps: tuple[Channel, ...] = ()
    strategy: Strategy = Strategy.FIRST
    passed: Mapping[str, str] = field(default_factory=dict)
    retry_seconds: tuple[float, ...] = (2, 4, 8)
    on_ambiguous: OnAmbiguous = OnAmbiguous.RESEND
    unless_delivered_within_seconds: Mapping[Channel, float] = field(default_factory=dict)
    correction: str | None = None
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    workflow: RuleOf = RuleOf.CARILLON

    @property
    def max_tries(self) -> int:
        """Count the first call and its repetitions."""
        return 1 + len(self.retry_seconds)


@quick
@dataclass(frozen=True, kw_only=True)
class Delivery(Record):
    """One channel of the saga.

    `attempt` numbers the calls of this epoch, `tries` counts those that are used up: a throttled one is not.
    `outcome` is recorded and not yet folded. By `deadline` it must be delivered, else the next channel follows.
    """

    channel: Channel
    status: DeliveryStatus
    position: int = 0
    epoch: int = 0
    attempt: int = 1
    tries: int = 0
    deferrals: int = 0
    takeovers: int = 0
    due_at: datetime | None = None
    lease_until: datetime | None = None
    token: UUID | None = None
    outcome: OutcomeKind | None = None
    deadline: datetime | None = None
    reason: str = ""

    def to(self, status: DeliveryStatus, reason: str, **changes: object) -> Delivery:
        """Move to another status, with the reason.

        Raises:
            IllegalTransition: the table does not allow it.
        """
        if status is not self.status and status not in DELIVERY_TRANSITIONS[self.status]:
            raise IllegalTransition(f"delivery {self.status} -> {status}")
        return self.but(status=status, reason=reason, **changes)


@quick
@dataclass(frozen=True, kw_only=True)
class Saga(Record):
    """One event for one user, with its deliveries of every epoch (one row a channel).

    `cancelled_by` says who called it back. From then on nothing new is asked for, and `cancelled` is how it ends.
    With a `digest_id` it is one of many in a digest; `is_digest` is the one that is sent for them.
    """

    id: UUID
    tenant: str
    status: NotificationStatus
    created_at: datetime
    expires_at: datetime
    reason: str = ""
    epoch: int = 0
    version: int = 0
    send_at: datetime | None = None
    next_look_at: datetime | None = None
    looks: int = 0
    traceparent: str | None = None
    correlation_id: str | None = None
    cancelled_by: str | None = None
    digest_id: UUID | None = None
    is_digest: bool = False
    plan: Plan = field(default_factory=Plan)
    deliveries: tuple[Delivery, ...] = ()

    def to(self, status: NotificationStatus, reason: str, **changes: object) -> Saga:
        """Move to another status, with the reason.

        Raises:
            IllegalTransition: the table does not allow it.
        """
        if status is self.status:
            return self.but(**changes) if changes else self
        table = NOTIFICATION_TRANSITIONS if self.digest_id is None else MEMBER_TRANSITIONS
        if status not in table[self.status]:
            raise IllegalTransition(f"notification {self.status} -> {status}")
        return self.but(status=status, reason=reason, **changes)

    def wish(self) -> str:
        """Say who wants it back."""
        return f"cancelled by {self.cancelled_by}"

    def delivery(self, channel: Channel | None) -> Delivery | None:
        """Find the delivery of a channel."""
        for delivery in self.deliveries:
            if delivery.channel is channel:
                return delivery
        return None

    def current(self) -> list[Delivery]:
        """List the deliveries of this epoch."""
        return [delivery for delivery in self.deliveries if delivery.epoch == self.epoch]

    def is_under_way(self) -> bool:
        """Tell whether any delivery of this epoch will still change by itself."""
        return any(delivery.status in UNDER_WAY for delivery in self.current())

    def with_delivery(self, changed: Delivery) -> Saga:
        """Put a delivery in the place of its channel's former one."""
        return self.but(deliveries=self.deliveries_with(changed))

    def deliveries_with(self, changed: Delivery) -> tuple[Delivery, ...]:
        """List the deliveries with one in the place of its channel's former one."""
        return (*[delivery for delivery in self.deliveries if delivery.channel is not changed.channel], changed)

    def without_pending(self, reason: str, keep: Channel | None = None) -> Saga:
        """Cancel every delivery that is still under way, except one."""
        saga = self
        for delivery in self.deliveries:
            if delivery.status in UNDER_WAY and delivery.channel is not keep:
                saga = saga.with_delivery(delivery.to(DeliveryStatus.CANCELLED, reason, outcome=None))
        return saga


class What(StrEnum):
    """What a line of the timeline tells."""

    ACCEPTED = "accepted"
    COLLECTED = "collected"  # it waits in a digest
    GATHERED = "gathered"  # the digest's window has closed
    ROUTED = "routed"
    PROVIDER_CHOSEN = "provider_chosen"  # not the one that comes first
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    RETRYING = "retrying"
    DEFERRED = "deferred"
    CHANNEL_FAILED = "channel_failed"
    WITHHELD = "withheld"  # the person does not want it, or the address is suppressed
    AMBIGUOUS = "ambiguous"
    FALLING_BACK = "falling_back"
    GIVING_UP = "giving_up"
    SKIPPED = "skipped"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    COMPENSATED = "compensated"
    NOT_UNDONE = "not_undone"
    FAILED = "failed"
    REPLAYED = "replayed"
    DISCARDED = "discarded"  # its dead letter is settled, and nothing starts over
    CANCELLING = "cancelling"  # called back, and not at its end yet
    CANCELLED = "cancelled"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline: what was decided, on which channel, and why. Never an address or a body."""

    what: What
    why: str
    channel: Channel | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What `decide` found: the saga as it is now, and the lines that explain it. No entries means no change."""

    saga: Saga
    entries: tuple[Entry, ...] = ()

    @property
    def changed(self) -> bool:
        """Tell whether anything must be written."""
        return bool(self.entries)
