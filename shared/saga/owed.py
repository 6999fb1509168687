"""Which message is owed in which state. The steps and the sweep both publish from this table, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shared.quick import quick
from shared.saga.state import Delivery, Saga
from shared.statuses import Channel, DeliveryStatus, NotificationStatus

FIRST_LOOK_SECONDS = 30
LONGEST_LOOK_SECONDS = 900
GRACE = timedelta(seconds=5)
"""So long after a due time the sweep brings what the delay queue should have brought."""

NO_GRACE = timedelta()
"""Where no queue holds anything back, the sweep alone brings it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A message that must be published, at `due_at` or now."""

    due_at: datetime | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EventOwed(Owed):
    """Orchestrate must route it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOwed(Owed):
    """The channel's function must make this attempt."""

    channel: Channel
    attempt: int
    epoch: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOwed(Owed):
    """An outcome is recorded and not folded."""

    channel: Channel
    attempt: int
    epoch: int
    token: UUID
    succeeded: bool


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LookOwed(Owed):
    """Orchestrate must look whether it was delivered."""

    channel: Channel


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationOwed(Owed):
    """Compensate must undo and bury it."""


def owed(saga: Saga, now: datetime) -> list[Owed]:
    """List what is owed to a saga in its state."""
    if saga.status is NotificationStatus.PENDING:
        return [EventOwed()]
    if saga.status is NotificationStatus.COMPENSATING:
        return [CompensationOwed()]
    if saga.status in (NotificationStatus.QUEUED, NotificationStatus.SENT):
        found = (_OF_DELIVERY[delivery.status](delivery, now) for delivery in saga.current())
        return [item for item in found if item is not None]
    return []


def _command(delivery: Delivery, now: datetime) -> Owed:
    return CommandOwed(channel=delivery.channel, attempt=delivery.attempt, epoch=delivery.epoch, due_at=delivery.due_at)


def _of_sending(delivery: Delivery, now: datetime) -> Owed | None:
    if delivery.outcome is not None and delivery.token is not None:
        return ResultOwed(
            channel=delivery.channel,
            attempt=delivery.attempt,
            epoch=delivery.epoch,
            token=delivery.token,
            succeeded=delivery.outcome == "accepted",
        )
    if delivery.lease_until is None or delivery.lease_until <= now:
        return CommandOwed(channel=delivery.channel, attempt=delivery.attempt, epoch=delivery.epoch)
    return None  # somebody works on it; the sweep looks when the lease ends


def _of_sent(delivery: Delivery, now: datetime) -> Owed | None:
    return LookOwed(channel=delivery.channel, due_at=delivery.deadline) if delivery.deadline else None


def _nothing(delivery: Delivery, now: datetime) -> Owed | None:
    return None


_OF_DELIVERY: dict[DeliveryStatus, Callable[[Delivery, datetime], Owed | None]] = {
    DeliveryStatus.QUEUED: _command,
    DeliveryStatus.RETRYING: _command,
    DeliveryStatus.DEFERRED: _command,
    DeliveryStatus.SENDING: _of_sending,
    DeliveryStatus.SENT: _of_sent,
    DeliveryStatus.DELIVERED: _nothing,
    DeliveryStatus.READ: _nothing,
    DeliveryStatus.FAILED: _nothing,
    DeliveryStatus.CANCELLED: _nothing,
    DeliveryStatus.UNKNOWN: _nothing,
    DeliveryStatus.RETRACTED: _nothing,
}


def due_now(items: list[Owed], now: datetime) -> list[Owed]:
    """Keep what is owed at this moment."""
    return [item for item in items if item.due_at is None or item.due_at <= now]


def next_look(saga: Saga, now: datetime, looks: int = 0, grace: timedelta = GRACE) -> datetime | None:
    """Say when the sweep must look at a saga again; None when never.

    30 s after something was owed at once, doubling to 15 min; otherwise when a wait ends, plus the grace.
    """
    if saga.digest_id is not None and saga.status is not NotificationStatus.SCHEDULED:
        return None  # its digest is looked at
    items = owed(saga, now)
    times = [item.due_at + grace for item in items if item.due_at is not None and item.due_at > now]
    times += [d.lease_until + timedelta(seconds=1) for d in saga.current() if _is_leased(d, now) and d.lease_until]
    if due_now(items, now):
        times.append(now + timedelta(seconds=min(FIRST_LOOK_SECONDS * 2**looks, LONGEST_LOOK_SECONDS)))
    if saga.status is NotificationStatus.SCHEDULED and saga.send_at and not (saga.digest_id or saga.is_digest):
        times.append(saga.send_at)
    if saga.status in _EXPIRES and (saga.expires_at > now or not _has_call_under_way(saga)):
        times.append(max(saga.expires_at, now + timedelta(seconds=1)))
    return min(times, default=None)


def _has_call_under_way(saga: Saga) -> bool:
    # Its end is looked for above. Looking every second until then would publish what is owed every second.
    return any(delivery.status is DeliveryStatus.SENDING for delivery in saga.current())


_EXPIRES = frozenset({NotificationStatus.SCHEDULED, NotificationStatus.PENDING, NotificationStatus.QUEUED})


def _is_leased(delivery: Delivery, now: datetime) -> bool:
    under_lease = delivery.status is DeliveryStatus.SENDING and delivery.outcome is None
    return under_lease and delivery.lease_until is not None and delivery.lease_until > now
