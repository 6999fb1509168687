"""What became of sagas, for those who watch: counted, and logged where a person is needed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from shared.metrics import IN_TIME_SECONDS, Metrics
from shared.saga import Delivery, Entry, Saga, What
from shared.saga.occurrences import QUIET_HOURS
from shared.statuses import REACHED, TERMINAL, DeliveryStatus, NotificationStatus
from shared.store.abandoning import given_up
from shared.store.changes import Change

log = logging.getLogger(__name__)

N = NotificationStatus

NEEDS_A_PERSON = frozenset({N.FAILED, N.UNKNOWN})
NEVER_SENT = {N.FAILED: "", N.EXPIRED: "expired", N.UNKNOWN: "unknown"}
"""What these ends mean to the service level; of what failed, its deliveries tell whose doing it was."""

UNENDED = frozenset(N) - TERMINAL
ARRIVED = frozenset({What.DELIVERED, What.READ})


def tell(metrics: Metrics, changes: Iterable[Change], now: datetime) -> None:
    """Count what sagas have come to, and log those that somebody should look at. Called when it is committed."""
    ends: Counter[N] = Counter()
    levels: Counter[str] = Counter()
    for change in changes:
        after = change.after
        for entry in change.entries:
            told = _TOLD.get(entry.what)
            if told is not None:
                told(metrics, change, entry, now)
        if after.digest_id is None and after.epoch == 0 and (level := service_level(change, now)):
            levels[level] += 1
        if after.status is not change.before.status and after.status in TERMINAL:
            ends[after.status] += 1
            if after.status in NEEDS_A_PERSON:
                _tell_a_person(metrics, after)
    for status, count in ends.items():
        metrics.ended.labels(status.value).inc(count)
    for level, count in levels.items():
        metrics.service_level.labels(level).inc(count)


def service_level(change: Change, now: datetime) -> str | None:
    """Judge a notification at the moment when a provider first has it, or when it ends without; None at any other.

    It is due when it was accepted, or for when it was posted, or when the person's quiet hours are over. What nobody
    wanted and what was called back is not judged, nor is a replay.
    """
    before, after = change.before, change.after
    if before.status not in UNENDED or _has_reached(before):
        return None
    reached = [delivery for delivery in after.deliveries if delivery.status in REACHED]
    if reached:
        waited = (now - _due_at(before, reached[0])).total_seconds()
        return "in_time" if waited <= IN_TIME_SECONDS else "late"
    if after.status is before.status or after.status not in NEVER_SENT:
        return None
    return NEVER_SENT[after.status] or _whose_doing(after)


def _has_reached(saga: Saga) -> bool:
    for delivery in saga.deliveries:
        if delivery.status in REACHED or delivery.status is DeliveryStatus.RETRACTED:
            return True
    return False


def _due_at(before: Saga, reached: Delivery) -> datetime:
    due_at = _accepted_at(before)
    waiting = before.delivery(reached.channel)
    if waiting is not None and waiting.due_at is not None and waiting.reason == QUIET_HOURS:
        return max(due_at, waiting.due_at)
    return due_at


def _accepted_at(saga: Saga) -> datetime:
    return saga.created_at if saga.send_at is None else max(saga.created_at, saga.send_at)


def _whose_doing(saga: Saga) -> str:
    """Tell whether tries were used up or waits too long, which is ours or the provider's; else it was refused."""
    gave_up = any(d.tries >= saga.plan.max_tries or d.deferrals for d in saga.deliveries)
    return "gave_up" if gave_up else "refused"


def _tell_a_person(metrics: Metrics, saga: Saga) -> None:
    if saga.digest_id is not None:  # the digest needs one, for all of them
        return
    if saga.status is N.UNKNOWN:
        metrics.dead_letters.labels("unknown").inc()
    names = {"notification_id": str(saga.id), "correlation_id": saga.correlation_id, "tenant": saga.tenant}
    log.warning("a notification needs a person", extra={**names, "status": saga.status, "reason": saga.reason})


def _retried(metrics: Metrics, change: Change, entry: Entry, now: datetime) -> None:
    metrics.retries.labels(entry.channel).inc()


def _deferred(metrics: Metrics, change: Change, entry: Entry, now: datetime) -> None:
    metrics.deferrals.labels(entry.channel, "left_alone" if entry.why == QUIET_HOURS else "throttled").inc()


def _delivered(metrics: Metrics, change: Change, entry: Entry, now: datetime) -> None:
    """Note the first word that it has arrived: read is delivered, too."""
    before = change.before.delivery(entry.channel)
    first = next(one for one in change.entries if one.what in ARRIVED and one.channel is entry.channel)
    if entry is first and before is not None and before.status is not DeliveryStatus.DELIVERED:
        waited = now - _accepted_at(change.before)
        metrics.accepted_to_delivered_seconds.labels(entry.channel).observe(waited.total_seconds())


def _given_up(metrics: Metrics, change: Change, entry: Entry, now: datetime) -> None:
    if any(delivery.channel is entry.channel for delivery in given_up(change)):  # else its outcome was recorded
        metrics.ambiguous.labels(entry.channel).inc()


Told = Callable[[Metrics, Change, Entry, datetime], None]

_TOLD: dict[What, Told] = {
    What.RETRYING: _retried,
    What.DEFERRED: _deferred,
    What.DELIVERED: _delivered,
    What.READ: _delivered,
    What.AMBIGUOUS: _given_up,
}
