"""What a saga does about the outcome of an attempt: sent, again, later, the next channel, or nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from shared.saga.cancelling import on_attempt_of_cancelled
from shared.saga.moves import call_back, end_unsent, give_way, reach, supersede
from shared.saga.occurrences import AttemptRecorded, Why
from shared.saga.state import MAX_TAKEOVERS, Decision, Delivery, Entry, OnAmbiguous, Saga, Strategy, What
from shared.statuses import REACHED, DeliveryStatus, NotificationStatus, OutcomeKind

N, D = NotificationStatus, DeliveryStatus

THROTTLE_SECONDS = (15, 60, 300, 900, 3600)
"""How long to wait when a provider says "later" without saying when."""

SHORTEST_WAIT_SECONDS = 1
LONGEST_WAIT_SECONDS = 7 * 86_400
"""Nothing lives longer, so a provider that asks for more than this asks for the end."""

JITTER = 0.1
"""Jitter only adds: up to a tenth of the wait."""

Fold = Callable[[Saga, Delivery, AttemptRecorded, datetime], Decision]


def on_attempt(saga: Saga, event: AttemptRecorded, now: datetime) -> Decision:
    """Fold an outcome, and tell why another provider than the first was asked."""
    decision = _fold(saga, event, now)
    if not event.choice or not decision.changed:
        return decision
    chosen = Entry(
        what=What.PROVIDER_CHOSEN, channel=event.channel, why=event.choice, detail={"attempt": event.attempt}
    )
    return replace(decision, entries=(chosen, *decision.entries))


def _fold(saga: Saga, event: AttemptRecorded, now: datetime) -> Decision:
    """Fold it: a success wins whenever it comes; a failure counts only for the attempt that is under way."""
    delivery = saga.delivery(event.channel)
    if delivery is None:
        return Decision(saga=saga)
    if event.outcome is OutcomeKind.ACCEPTED and event.undelivered is None:
        return _accepted(saga, delivery, event, now)
    is_current = delivery.status is D.SENDING and delivery.token == event.token and delivery.epoch == event.epoch
    if not is_current or saga.status is not N.QUEUED:
        return Decision(saga=saga)
    if saga.cancelled_by is not None:
        return on_attempt_of_cancelled(saga, delivery, event)
    return _FOLDS[event.outcome](saga, delivery, event, now)


def _accepted(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    if delivery.status in REACHED or delivery.status is D.RETRACTED:
        return Decision(saga=saga)
    is_late = delivery.token != event.token or delivery.status is not D.SENDING
    why = "a late success: an earlier attempt had been taken" if is_late else "the provider took it"
    sent = delivery.to(D.SENT, why, outcome=None, due_at=None, deadline=None)
    saga = saga.with_delivery(sent)
    detail = {"attempt": event.attempt, "code": event.code}
    entry = Entry(what=What.SENT, channel=event.channel, why=why, detail=detail)
    if saga.cancelled_by is not None:
        return call_back(saga, (entry,))
    if saga.plan.strategy is Strategy.FIRST:
        saga = saga.without_pending("sent on another channel", keep=event.channel)
    if not saga.is_under_way():
        saga = reach(_with_deadline(saga, sent, now), why)
    return Decision(saga=saga, entries=(entry,))


def _with_deadline(saga: Saga, sent: Delivery, now: datetime) -> Saga:
    seconds = saga.plan.unless_delivered_within_seconds.get(sent.channel)
    if seconds is None or saga.status is not N.QUEUED:
        return saga
    return saga.with_delivery(sent.but(deadline=now + timedelta(seconds=seconds)))


def _transient(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    if delivery.tries >= saga.plan.max_tries:
        return _failed(saga, delivery, event, f"no success in {delivery.tries} tries: {_said(event)}")
    wait = max(saga.plan.retry_seconds[max(delivery.tries - 1, 0)], _asked(event))
    return _again(saga, delivery, D.RETRYING, _said(event), now + _with_jitter(wait, saga, delivery))


def _throttled(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    scheduled = THROTTLE_SECONDS[min(delivery.deferrals, len(THROTTLE_SECONDS) - 1)]
    wait = scheduled if event.retry_after_seconds is None else max(_asked(event), SHORTEST_WAIT_SECONDS)
    due_at = now + _with_jitter(wait, saga, delivery)
    has_next = len(saga.plan.steps) > len(saga.current())
    if due_at >= saga.expires_at and has_next:
        return _failed(saga, delivery, event, f"throttled until after it expires: {_said(event)}")
    unused = delivery.but(tries=max(delivery.tries - 1, 0), deferrals=delivery.deferrals + 1)
    return _again(saga, unused, D.DEFERRED, _said(event), due_at)


def _permanent(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    if not event.withheld:
        return _failed(saga, delivery, event, _said(event))
    entry = Entry(what=What.WITHHELD, channel=event.channel, why=event.reason)
    if delivery.takeovers:  # "nobody wanted it" would not be all: somebody called before, and never said how it ended
        why, status = f"{event.reason}; an earlier attempt may have been taken", D.UNKNOWN
    else:
        why, status = event.reason, D.CANCELLED
    saga = saga.with_delivery(delivery.to(status, why, outcome=None))
    return supersede(saga, (entry,)) if event.reason == Why.SUPERSEDED else give_way(saga, why, (entry,))


def _ambiguous(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    may_resend = saga.plan.on_ambiguous is OnAmbiguous.RESEND and saga.expires_at > now
    if may_resend and delivery.tries < saga.plan.max_tries and delivery.takeovers < MAX_TAKEOVERS:
        decision = _transient(saga, delivery, event, now)
        entry = Entry(what=What.AMBIGUOUS, channel=event.channel, why=_said(event), detail={"attempt": event.attempt})
        return replace(decision, entries=(entry, *decision.entries))
    why = f"the provider may have taken it: {_said(event)}"
    saga = saga.with_delivery(delivery.to(D.UNKNOWN, why, outcome=None))
    entry = Entry(what=What.AMBIGUOUS, channel=event.channel, why=why, detail={"attempt": event.attempt})
    return give_way(saga, why, (entry,)) if may_resend else end_unsent(saga, why, (entry,))


def _undelivered(saga: Saga, delivery: Delivery, event: AttemptRecorded, now: datetime) -> Decision:
    return _failed(saga, delivery, event, did_not_arrive(event.undelivered))


_FOLDS: dict[OutcomeKind, Fold] = {
    OutcomeKind.ACCEPTED: _undelivered,
    OutcomeKind.TRANSIENT: _transient,
    OutcomeKind.THROTTLED: _throttled,
    OutcomeKind.PERMANENT: _permanent,
    OutcomeKind.AMBIGUOUS: _ambiguous,
}


def _again(saga: Saga, delivery: Delivery, status: DeliveryStatus, why: str, due_at: datetime) -> Decision:
    changed = delivery.to(status, why, attempt=delivery.attempt + 1, due_at=due_at, outcome=None, lease_until=None)
    what = What.RETRYING if status is D.RETRYING else What.DEFERRED
    detail = {"attempt": changed.attempt, "due_at": due_at.isoformat(timespec="milliseconds")}
    entry = Entry(what=what, channel=delivery.channel, why=why, detail=detail)
    return Decision(saga=saga.with_delivery(changed), entries=(entry,))


def _failed(saga: Saga, delivery: Delivery, event: AttemptRecorded, why: str) -> Decision:
    saga = saga.with_delivery(delivery.to(D.FAILED, why, outcome=None, due_at=None))
    entry = Entry(what=What.CHANNEL_FAILED, channel=event.channel, why=why, detail={"attempt": event.attempt})
    return give_way(saga, why, (entry,))


def did_not_arrive(said: str | None) -> str:
    """Tell that a provider has reported a failure of what it had taken."""
    return f"the provider took it, and reported that it did not arrive: {said or 'no reason given'}"


def _asked(event: AttemptRecorded) -> float:
    """Tell how long the provider asked for, also where it failed: a 503 may say when to come back."""
    return min(event.retry_after_seconds or 0.0, LONGEST_WAIT_SECONDS)


def _said(event: AttemptRecorded) -> str:
    return event.reason or event.code


def _with_jitter(seconds: float, saga: Saga, delivery: Delivery) -> timedelta:
    # From the id, not from a random source: the same decision made twice is the same decision.
    fraction = ((saga.id.int >> 8) + delivery.attempt * 7919) % 1009 / 1009
    return timedelta(seconds=seconds * (1 + JITTER * fraction))
