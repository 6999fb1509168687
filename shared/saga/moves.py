"""The moves a saga can make, whatever made it move."""

from __future__ import annotations

from datetime import datetime

from shared.saga.state import Decision, Delivery, Entry, Saga, What
from shared.statuses import REACHED, UNDER_WAY, Channel, DeliveryStatus, NotificationStatus

N, D = NotificationStatus, DeliveryStatus


def queue(saga: Saga, channel: Channel, why: str) -> Saga:
    """Ask for the first attempt on a channel."""
    delivery = Delivery(channel=channel, status=D.QUEUED, position=len(saga.current()), epoch=saga.epoch, reason=why)
    return saga.to(N.QUEUED, why, deliveries=saga.deliveries_with(delivery))


def give_way(saga: Saga, why: str, entries: tuple[Entry, ...]) -> Decision:
    """Go on to the next channel of the plan; where there is none, end as the deliveries have ended."""
    used = {delivery.channel for delivery in saga.current()}
    rest = [channel for channel in saga.plan.steps if channel not in used]
    if rest:
        entry = Entry(what=What.ROUTED, channel=rest[0], why=f"next channel: {why}")
        return Decision(saga=queue(saga, rest[0], why), entries=(*entries, entry))
    if any(delivery.status in UNDER_WAY for delivery in saga.current()):
        return Decision(saga=saga, entries=entries)
    return end_unsent(saga, why, entries)


def end_unsent(saga: Saga, why: str, entries: tuple[Entry, ...]) -> Decision:
    """End without another try: sent if any channel was, else unknown, unwanted, or given up."""
    statuses = {delivery.status for delivery in saga.current()}
    if statuses & REACHED:
        return Decision(saga=saga.to(N.SENT, why), entries=entries)
    if D.UNKNOWN in statuses:
        end = Entry(what=What.UNKNOWN, why=why)
        return Decision(saga=saga.to(N.UNKNOWN, why), entries=(*entries, end))
    if statuses == {D.CANCELLED}:
        end = Entry(what=What.SKIPPED, why=why)
        return Decision(saga=saga.to(N.SKIPPED, why), entries=(*entries, end))
    end = Entry(what=What.GIVING_UP, why=why)
    return Decision(saga=saga.to(N.COMPENSATING, why), entries=(*entries, end))


def expire(saga: Saga) -> Decision:
    """End what is too late to be of use. What was sent stays sent, and what may have been sent stays unknown."""
    why = "it expired before a provider took it"
    saga = saga.without_pending(why)
    entry = Entry(what=What.EXPIRED, why=why)
    statuses = {delivery.status for delivery in saga.current()}
    if statuses & REACHED or D.UNKNOWN in statuses:
        return end_unsent(saga, why, (entry,))
    return Decision(saga=saga.to(N.EXPIRED, why), entries=(entry,))


def start_over(saga: Saga, why: str, expires_at: datetime) -> Saga:
    """Begin a new epoch: every command of the old one is stale from now on."""
    fresh = saga.but(epoch=saga.epoch + 1, expires_at=expires_at, looks=0)
    return fresh.to(N.PENDING, why)
