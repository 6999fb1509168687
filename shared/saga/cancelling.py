"""What a saga does when its caller calls it back: at once, after the call that is under way, or by compensation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from shared.saga.digests import is_bound, without_digest
from shared.saga.moves import call_back, give_up_waiting, waits_for_a_word
from shared.saga.occurrences import AttemptRecorded, Cancelled
from shared.saga.state import Decision, Delivery, Entry, Saga, What
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind

N, D = NotificationStatus, DeliveryStatus

CAN_BE_CANCELLED = frozenset({N.SCHEDULED, N.PENDING, N.QUEUED, N.SENT, N.COMPENSATING})
"""Delivered is in the person's hands; what failed, expired or was skipped is not sent any more by itself."""

PATIENCE_WITH_A_LEASE = timedelta(minutes=10)
"""So long after its lease ran out a claimed attempt may still tell how it ended; its function may be gone for good."""


def on_cancelled(saga: Saga, event: Cancelled, now: datetime) -> Decision:
    """Call it back. What is asked for is called off; a call under way is waited for, nobody can stop it."""
    if saga.status not in CAN_BE_CANCELLED or saga.cancelled_by is not None or is_bound(saga):
        return Decision(saga=saga)  # what is in a digest's message is called back with that message
    was = saga.status
    decision = call_back(without_digest(saga).but(cancelled_by=event.by))
    if decision.saga.status is N.CANCELLED:
        return decision
    under_way = [delivery.channel.value for delivery in decision.saga.current() if delivery.status is D.SENDING]
    why = f"{decision.saga.wish()}: {_what_is_done(was, is_calling=bool(under_way))}"
    entry = Entry(what=What.CANCELLING, why=why, detail={"under_way": under_way} if under_way else {})
    return Decision(saga=decision.saga, entries=(entry,))


def _what_is_done(was: NotificationStatus, *, is_calling: bool) -> str:
    if is_calling:
        return "a call is under way, and its end is waited for"
    if was is N.COMPENSATING:
        return "it was being given up already"
    return "what was sent is taken back where that is possible"


def on_attempt_of_cancelled(saga: Saga, delivery: Delivery, event: AttemptRecorded) -> Decision:
    """Fold an outcome that is no success: nothing is tried again, and no other channel is asked."""
    is_refused = event.outcome is OutcomeKind.PERMANENT and not event.withheld
    status, what = D.CANCELLED, What.WITHHELD if event.withheld else What.CHANNEL_FAILED
    if event.undelivered is not None or is_refused:
        status = D.FAILED
    elif event.outcome is OutcomeKind.AMBIGUOUS or delivery.takeovers:
        status, what = D.UNKNOWN, What.AMBIGUOUS
    why = f"not tried again, {saga.wish()}: {event.undelivered or event.reason or event.code}"
    ended = saga.with_delivery(delivery.to(status, why, outcome=None, due_at=None))
    entry = Entry(what=what, channel=event.channel, why=why, detail={"attempt": event.attempt})
    return call_back(ended, (entry,))


def look_at_cancelled(saga: Saga, now: datetime) -> Decision:
    """End what waits for nothing any more; who has held a claim for too long after its lease is not waited for."""
    in_hand = [delivery for delivery in saga.current() if delivery.status is D.SENDING]
    if waits_for_a_word(in_hand) or any(_may_still_tell(delivery, now) for delivery in in_hand):
        return Decision(saga=saga)
    saga, entries = give_up_waiting(saga, in_hand)
    decision = call_back(saga)
    return replace(decision, entries=(*entries, *decision.entries))


def _may_still_tell(delivery: Delivery, now: datetime) -> bool:
    return delivery.lease_until is None or now < delivery.lease_until + PATIENCE_WITH_A_LEASE
