"""The moves a saga can make, whatever made it move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.saga.occurrences import Why
from shared.saga.state import Decision, Delivery, Entry, Saga, What
from shared.statuses import REACHED, Channel, DeliveryStatus, NotificationStatus

N, D = NotificationStatus, DeliveryStatus

ACKNOWLEDGED = frozenset({D.DELIVERED, D.READ})
WAITING = frozenset({D.QUEUED, D.RETRYING, D.DEFERRED})
"""A delivery here is asked for, and in nobody's hands."""


def queue(saga: Saga, channel: Channel, why: str, due_at: datetime | None = None) -> Saga:
    """Ask for the first attempt on a channel, now or later."""
    place = len(saga.current())
    delivery = Delivery(channel=channel, status=D.QUEUED, position=place, epoch=saga.epoch, reason=why, due_at=due_at)
    return saga.to(N.QUEUED, why, deliveries=saga.deliveries_with(delivery))


def give_way(saga: Saga, why: str, entries: tuple[Entry, ...]) -> Decision:
    """Go on to the next channel of the plan; where there is none, end as the deliveries have ended."""
    if saga.cancelled_by is not None:
        return call_back(saga, entries)
    rest = unused(saga)
    if saga.is_under_way() or not rest:
        return end_unsent(saga, why, entries)
    entry = Entry(what=What.ROUTED, channel=rest[0], why=f"next channel: {why}")
    return Decision(saga=queue(saga, rest[0], why), entries=(*entries, entry))


def unused(saga: Saga) -> list[Channel]:
    """List the channels of the plan that were not asked yet, in order."""
    used = {delivery.channel for delivery in saga.current()}
    return [channel for channel in saga.plan.steps if channel not in used]


def end_unsent(saga: Saga, why: str, entries: tuple[Entry, ...]) -> Decision:
    """End without another try, unless another channel is still under way.

    It ends as sent if any channel was, else unknown, unwanted, or given up.
    """
    if saga.is_under_way():
        return Decision(saga=saga, entries=entries)
    if has_reached(saga):
        return Decision(saga=reach(saga, why), entries=entries)
    status, what = _end_of(saga)
    return Decision(saga=saga.to(status, why), entries=(*entries, Entry(what=what, why=why)))


def _end_of(saga: Saga) -> tuple[NotificationStatus, What]:
    statuses = {delivery.status for delivery in saga.current()}
    if D.UNKNOWN in statuses:
        return N.UNKNOWN, What.UNKNOWN
    if statuses == {D.CANCELLED} or any(delivery.reason == Why.SUPERSEDED for delivery in saga.current()):
        return N.SKIPPED, What.SKIPPED
    return N.COMPENSATING, What.GIVING_UP


def has_reached(saga: Saga) -> bool:
    """Tell whether a provider has it: on any channel, and in any epoch, for a late success counts as well."""
    return any(delivery.status in REACHED for delivery in saga.deliveries)


def reach(saga: Saga, why: str) -> Saga:
    """Note that a provider has it, or that somebody has acknowledged it."""
    if saga.status in (N.DELIVERED, N.CANCELLED):
        return saga
    is_acknowledged = any(delivery.status in ACKNOWLEDGED for delivery in saga.deliveries)
    return saga.to(N.DELIVERED if is_acknowledged and saga.status in (N.QUEUED, N.SENT) else N.SENT, why)


def supersede(saga: Saga, entries: tuple[Entry, ...]) -> Decision:
    """End what a newer notification has replaced. A call under way is waited for: what it says may be a success."""
    for delivery in saga.current():
        if delivery.status in WAITING:
            saga = saga.with_delivery(delivery.to(D.CANCELLED, Why.SUPERSEDED.value, due_at=None))
    return end_unsent(saga, Why.SUPERSEDED.value, entries)


def expire(saga: Saga) -> Decision:
    """End what is too late to be of use. What was sent stays sent, and what may have been sent stays unknown."""
    why = "it expired before a provider took it"
    saga = saga.without_pending(why)
    entry = Entry(what=What.EXPIRED, why=why)
    if has_reached(saga) or any(delivery.status is D.UNKNOWN for delivery in saga.current()):
        return end_unsent(saga, why, (entry,))
    return Decision(saga=saga.to(N.EXPIRED, why), entries=(entry,))


def call_back(saga: Saga, entries: tuple[Entry, ...] = ()) -> Decision:
    """Take what its caller calls back as far as it can go now.

    A call under way is waited for. What a provider has, or may have, is compensated: a cancelled one again, too, if it
    turns out late that it was sent. Else it ends here.
    """
    for delivery in saga.current():
        if delivery.status in WAITING:
            saga = saga.with_delivery(delivery.to(D.CANCELLED, saga.wish(), due_at=None))
    if any(delivery.status is D.SENDING for delivery in saga.current()) or saga.status is N.COMPENSATING:
        return Decision(saga=saga, entries=entries)
    if has_reached(saga) or any(delivery.status is D.UNKNOWN for delivery in saga.current()):
        why = f"{saga.wish()}: a provider has it, or may have it"
        entry = Entry(what=What.CANCELLING, why=why)
        return Decision(saga=saga.to(N.COMPENSATING, why), entries=(*entries, entry))
    entry = Entry(what=What.CANCELLED, why=saga.wish())
    return Decision(saga=saga.to(N.CANCELLED, saga.wish()), entries=(*entries, entry))


def waits_for_a_word(in_hand: Sequence[Delivery]) -> bool:
    """Tell whether an outcome is recorded that is not folded yet: it says better how it ends."""
    return any(delivery.outcome is not None for delivery in in_hand)


def give_up_waiting(saga: Saga, in_hand: Sequence[Delivery]) -> tuple[Saga, tuple[Entry, ...]]:
    """Wait no more for calls of which nobody came back to tell."""
    why = "nobody came back to say what became of the last attempt"
    for delivery in in_hand:
        saga = saga.with_delivery(delivery.to(D.UNKNOWN, why, outcome=None))
    return saga, tuple(Entry(what=What.AMBIGUOUS, channel=delivery.channel, why=why) for delivery in in_hand)


def start_over(saga: Saga, why: str, expires_at: datetime) -> Saga:
    """Begin a new epoch: every command of the old one is stale from now on."""
    fresh = saga.but(epoch=saga.epoch + 1, expires_at=expires_at, looks=0)
    return fresh.to(N.PENDING, why)
