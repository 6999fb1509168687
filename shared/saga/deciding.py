"""What a saga does about what happened: `decide(saga, occurrence, now)`, pure.

Used by orchestrate, compensate, sweep and the simulation. It knows no clock, no database and no broker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.saga import digests
from shared.saga.attempts import on_attempt
from shared.saga.cancelling import look_at_cancelled, on_cancelled
from shared.saga.erasing import on_erased
from shared.saga.moves import expire, give_up_waiting, give_way, queue, start_over, waits_for_a_word
from shared.saga.occurrences import (
    BY_WISH,
    QUIET_HOURS,
    AttemptRecorded,
    Cancelled,
    Closed,
    Collected,
    Compensated,
    Erased,
    Followed,
    Gathered,
    LeftEmpty,
    Looked,
    Occurrence,
    ReceiptRecorded,
    Replayed,
    Routed,
)
from shared.saga.receipts import on_receipt
from shared.saga.state import Decision, Entry, Saga, Strategy, What
from shared.statuses import REACHED, UNDER_WAY, Channel, DeliveryStatus, NotificationStatus

N, D = NotificationStatus, DeliveryStatus

PATIENCE_WITH_A_CLAIM = timedelta(minutes=10)
"""So long after its expiry a claimed attempt may still tell how it ended; its function may be gone for good."""


def decide(saga: Saga, occurrence: Occurrence, now: datetime) -> Decision:
    """Fold one occurrence into a saga. A copy of one that was folded before changes nothing."""
    if saga.digest_id is not None and digests.is_bound(saga) and not isinstance(occurrence, Followed):
        return Decision(saga=saga)  # it is in a message that is on its way
    return _HANDLERS[type(occurrence)](saga, occurrence, now)


def _on_routed(saga: Saga, facts: Routed, now: datetime) -> Decision:
    if saga.status is not N.PENDING:
        return Decision(saga=saga)
    saga = saga.but(expires_at=_expiry(saga, facts))
    if saga.expires_at <= now:
        return expire(saga)
    wanted = facts.wanted
    if facts.preferred:
        wanted = (facts.preferred, *(channel for channel in wanted if channel is not facts.preferred))
    steps = tuple(channel for channel in wanted if channel not in facts.obstacles)
    passed = {channel._value_: facts.obstacles[channel]._value_ for channel in wanted if channel in facts.obstacles}
    saga = saga.but(plan=facts.plan.but(steps=steps, passed=passed))
    if not steps:
        return _nobody_to_reach(saga)
    entries = []
    for channel in steps if saga.plan.strategy is Strategy.ALL else steps[:1]:
        why = _why(saga.plan.strategy, facts, channel)
        due_at = facts.left_alone.get(channel)
        saga = queue(saga, channel, why, due_at)
        entries.append(Entry(what=What.ROUTED, channel=channel, why=why, detail={"passed": passed} if passed else {}))
        if due_at is not None:
            entries.append(_deferred(channel, due_at))
    return Decision(saga=saga, entries=tuple(entries))


def _deferred(channel: Channel, due_at: datetime) -> Entry:
    """Tell that a person is left alone, and until when."""
    detail = {"attempt": 1, "due_at": due_at.isoformat(timespec="milliseconds")}
    return Entry(what=What.DEFERRED, channel=channel, why=QUIET_HOURS, detail=detail)


def _expiry(saga: Saga, facts: Routed) -> datetime:
    """Let the workflow's expiry take the place of the default; beside the event's own, the earlier one counts."""
    if facts.expires_after_seconds is None or saga.epoch:  # a replay brings its own time
        return saga.expires_at
    begins_at = max(saga.created_at, saga.send_at or saga.created_at)
    by_workflow = begins_at + timedelta(seconds=facts.expires_after_seconds)
    return min(saga.expires_at, by_workflow) if facts.has_own_expiry else by_workflow


def _why(strategy: Strategy, facts: Routed, channel: Channel) -> str:
    if facts.only:
        return "the request names this channel"
    if channel is facts.preferred:
        return "the event prefers this channel"
    if strategy is Strategy.ALL:
        return "the workflow asks for every usable channel"
    return "the first usable channel of the workflow"


def _nobody_to_reach(saga: Saga) -> Decision:
    reasons = sorted(set(saga.plan.passed.values()))  # of the channels that were wanted, not of all
    why = "; ".join(reasons) or "the workflow names no channel"
    if BY_WISH.intersection(reasons):
        entry = Entry(what=What.SKIPPED, why=why, detail={"passed": dict(saga.plan.passed)})
        return Decision(saga=saga.to(N.SKIPPED, why), entries=(entry,))
    entry = Entry(what=What.GIVING_UP, why=why, detail={"passed": dict(saga.plan.passed)})
    return Decision(saga=saga.to(N.COMPENSATING, why), entries=(entry,))


def _on_looked(saga: Saga, event: Looked, now: datetime) -> Decision:
    if saga.digest_id is not None:
        return digests.on_look_at_member(saga, event, now)
    if saga.status is N.SCHEDULED and not saga.is_digest and saga.send_at is not None and saga.send_at <= now:
        entry = Entry(what=What.ACCEPTED, why="its time has come")
        return Decision(saga=saga.to(N.PENDING, entry.why), entries=(entry,))
    if saga.cancelled_by is not None:
        return look_at_cancelled(saga, now) if saga.status is N.QUEUED else Decision(saga=saga)
    overdue = [d for d in saga.current() if d.status is D.SENT and d.deadline is not None and d.deadline <= now]
    if overdue and saga.status in (N.SENT, N.QUEUED):
        return _fall_back(saga, overdue[0].channel, now)
    if saga.status in (N.SCHEDULED, N.PENDING, N.QUEUED) and saga.expires_at <= now:
        return _try_to_expire(saga, now)
    return Decision(saga=saga)


def _fall_back(saga: Saga, channel: Channel, now: datetime) -> Decision:
    delivery = saga.delivery(channel)
    assert delivery is not None
    seconds = saga.plan.unless_delivered_within_seconds.get(channel, 0)
    why = f"not acknowledged within {seconds:g} s"
    saga = saga.with_delivery(delivery.but(deadline=None, reason=why))
    entry = Entry(what=What.FALLING_BACK, channel=channel, why=why)
    return give_way(saga, why, (entry,))


def _try_to_expire(saga: Saga, now: datetime) -> Decision:
    """End it, unless a call under way, an outcome to fold, or a lease to take over says better how it ends."""
    in_hand = [delivery for delivery in saga.current() if delivery.status is D.SENDING]
    if waits_for_a_word(in_hand) or (in_hand and now < saga.expires_at + PATIENCE_WITH_A_CLAIM):
        return Decision(saga=saga)
    saga, entries = give_up_waiting(saga, in_hand)
    decision = expire(saga)
    return replace(decision, entries=(*entries, *decision.entries))


def _on_compensated(saga: Saga, event: Compensated, now: datetime) -> Decision:
    if saga.status is not N.COMPENSATING:
        return Decision(saga=saga)
    reason = saga.reason or "every channel gave up"
    end = (N.FAILED, What.FAILED, reason)
    if saga.cancelled_by is not None:
        end = (N.CANCELLED, What.CANCELLED, saga.wish())
    status, what, reason = end
    entries = [Entry(what=What.COMPENSATED, channel=channel, why="taken back") for channel in sorted(event.retracted)]
    entries += [Entry(what=What.NOT_UNDONE, channel=channel, why=why) for channel, why in event.not_undone.items()]
    for delivery in saga.deliveries:
        if delivery.channel in event.retracted and delivery.status in REACHED:
            saga = saga.with_delivery(delivery.to(D.RETRACTED, "taken back"))
        elif delivery.status in UNDER_WAY:
            saga = saga.with_delivery(delivery.to(D.CANCELLED, reason, outcome=None))
    entries.append(Entry(what=what, why=reason))
    return Decision(saga=saga.to(status, reason), entries=tuple(entries))


def _on_replayed(saga: Saga, event: Replayed, now: datetime) -> Decision:
    if saga.status not in (N.FAILED, N.UNKNOWN):
        return Decision(saga=saga)
    saga = start_over(saga, f"replayed by {event.by}", now + timedelta(seconds=event.window_seconds))
    return Decision(saga=saga, entries=(Entry(what=What.REPLAYED, why=saga.reason, detail={"epoch": saga.epoch}),))


_HANDLERS: dict[type, Callable[[Saga, Any, datetime], Decision]] = {
    Routed: _on_routed,
    AttemptRecorded: on_attempt,
    ReceiptRecorded: on_receipt,
    Looked: _on_looked,
    Compensated: _on_compensated,
    Replayed: _on_replayed,
    Cancelled: on_cancelled,
    Erased: on_erased,
    Collected: digests.on_collected,
    Gathered: digests.on_gathered,
    Closed: digests.on_closed,
    LeftEmpty: digests.on_left_empty,
    Followed: digests.on_followed,
}
