"""What a saga does about what the far side says after it was sent: delivered, read, or failed after all."""

from __future__ import annotations

from datetime import datetime

from shared.saga.attempts import did_not_arrive
from shared.saga.moves import call_back, give_way, has_reached, unused
from shared.saga.occurrences import Receipt, ReceiptRecorded
from shared.saga.state import Decision, Delivery, Entry, Saga, Strategy, What
from shared.statuses import REACHED, DeliveryStatus, NotificationStatus

N, D = NotificationStatus, DeliveryStatus

_RANK: dict[Receipt, tuple[DeliveryStatus, What]] = {
    Receipt.DELIVERED: (D.DELIVERED, What.DELIVERED),
    Receipt.READ: (D.READ, What.READ),
}
_ORDER = (D.SENDING, D.UNKNOWN, D.SENT, D.DELIVERED, D.READ)
_PROVEN_SENT = frozenset({N.PENDING, N.COMPENSATING, N.FAILED, N.SKIPPED, N.EXPIRED, N.UNKNOWN})
"""A receipt here is a late success: the provider had it after all, so nobody sends it again."""


def on_receipt(saga: Saga, event: ReceiptRecorded, now: datetime) -> Decision:
    """Fold a receipt. One for another epoch, or for what was never asked, changes nothing."""
    delivery = saga.delivery(event.channel)
    if delivery is None or delivery.epoch != event.epoch:
        return Decision(saga=saga)
    if event.receipt is Receipt.FAILED:
        return _failed(saga, delivery, event, now)
    return _acknowledged(saga, delivery, event)


def _acknowledged(saga: Saga, delivery: Delivery, event: ReceiptRecorded) -> Decision:
    status, what = _RANK[event.receipt]
    if delivery.status not in _ORDER or _ORDER.index(delivery.status) >= _ORDER.index(status):
        return Decision(saga=saga)  # monotone: a late or repeated receipt changes nothing
    why = event.reason or "the person's client acknowledged it"
    saga = saga.with_delivery(delivery.to(status, why, outcome=None, deadline=None))
    entries = (Entry(what=what, channel=event.channel, why=why),)
    if saga.cancelled_by is not None:
        return call_back(saga, entries) if delivery.status not in REACHED else Decision(saga=saga, entries=entries)
    if saga.status in (N.QUEUED, N.SENT):
        if saga.plan.strategy is not Strategy.ALL:
            saga = saga.without_pending("it was acknowledged on another channel")
        if not saga.is_under_way():
            saga = saga.to(N.DELIVERED, why)
    elif saga.status in _PROVEN_SENT:
        saga = saga.without_pending(why).to(N.SENT, why)
    return Decision(saga=saga, entries=entries)


def _failed(saga: Saga, delivery: Delivery, event: ReceiptRecorded, now: datetime) -> Decision:
    """Take back that it was sent. What is still being sent is judged when its success is folded."""
    if delivery.status is D.UNKNOWN:
        return _doubted(saga, delivery, event)
    if delivery.status is not D.SENT:
        return Decision(saga=saga)
    why = did_not_arrive(event.reason)
    saga = saga.with_delivery(delivery.to(D.FAILED, why, deadline=None))
    entries = (Entry(what=What.CHANNEL_FAILED, channel=event.channel, why=why),)
    if saga.status is N.QUEUED:
        return give_way(saga, why, entries)
    if saga.status is not N.SENT or _is_passed(saga, delivery):
        return Decision(saga=saga, entries=entries)
    if unused(saga) and now < saga.expires_at:
        return give_way(saga, why, entries)
    if has_reached(saga):
        return Decision(saga=saga, entries=entries)
    end = Entry(what=What.GIVING_UP, why=why)
    return Decision(saga=saga.to(N.COMPENSATING, why), entries=(*entries, end))


def _doubted(saga: Saga, delivery: Delivery, event: ReceiptRecorded) -> Decision:
    """Tell the person who decides. It stays unknown: the receipt speaks for one attempt, and there may be several."""
    why = f"nobody knows whether it was taken, but the provider reported a failure: {event.reason or 'no reason given'}"
    if delivery.reason == why:
        return Decision(saga=saga)
    saga = saga.with_delivery(delivery.but(reason=why))
    return Decision(saga=saga, entries=(Entry(what=What.AMBIGUOUS, channel=event.channel, why=why),))


def _is_passed(saga: Saga, delivery: Delivery) -> bool:
    """Tell whether a later channel has reached the person meanwhile: the one after this had its turn."""
    return any(other.status in REACHED and other.position > delivery.position for other in saga.current())
