"""What came of a claim, in memory: recorded, given back, or postponed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from shared.saga import AttemptRecorded, Delivery, Entry, What
from shared.saga.occurrences import QUIET_HOURS
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel, DeliveryStatus, OutcomeKind
from shared.store.claims import Command, Recorded
from tests.simulation.store.engine import Transaction
from tests.simulation.store.rows import AttemptRow, DeliveryRow, TimelineRow

WAITING = (DeliveryStatus.QUEUED, DeliveryStatus.RETRYING, DeliveryStatus.DEFERRED)


def record_set(channel: Channel, items: Sequence[Recorded], tx: Transaction) -> None:
    """Keep the outcomes of a set of attempts."""
    for item in items:
        if tx.get(tx.memory.deliveries, (item.command.notification_id, channel)) is not None:
            tx.lock(tx.memory.deliveries, (item.command.notification_id, channel))
    for item in items:
        is_late = not _mark(tx, (item.command.notification_id, channel), item)
        _keep(tx, channel, item, is_late=is_late and item.outcome.kind is OutcomeKind.ACCEPTED)


def _mark(tx: Transaction, key: tuple[UUID, Channel], item: Recorded) -> bool:
    row = tx.get(tx.memory.deliveries, key) and tx.lock(tx.memory.deliveries, key)
    if not row or not _is_held(row.delivery, item.token):
        return False
    delivery = row.delivery.but(outcome=item.outcome.kind, lease_until=None)
    tx.put(tx.memory.deliveries, key, row.but(delivery=delivery, updated_at=tx.memory.now()))
    return True


def _is_held(delivery: Delivery, token: UUID) -> bool:
    return delivery.token == token and delivery.status is DeliveryStatus.SENDING and delivery.outcome is None


def _keep(tx: Transaction, channel: Channel, item: Recorded, *, is_late: bool) -> None:
    key, now, outcome = (item.command.notification_id, item.token), tx.memory.now(), item.outcome
    said = AttemptRecorded(
        channel=channel,
        epoch=item.command.epoch,
        attempt=item.command.attempt,
        token=item.token,
        outcome=outcome.kind,
        code=outcome.code,
        reason=outcome.reason,
        retry_after_seconds=outcome.retry_after_seconds,
        withheld=item.withheld,
        choice=outcome.choice,
    )
    known = tx.lock(tx.memory.attempts, key)
    if known is not None and known.said.outcome is not OutcomeKind.AMBIGUOUS:
        return
    if known is not None:
        row = known.but(said=said, ended_at=now)
    else:
        row = AttemptRow(
            notification_id=item.command.notification_id,
            tenant=item.tenant,
            said=said,
            ambiguous=outcome.kind is OutcomeKind.AMBIGUOUS,
            started_at=now - timedelta(seconds=item.took_seconds),
            ended_at=now,
        )
    look = now + timedelta(seconds=FIRST_LOOK_SECONDS) if is_late else None
    row = row.but(provider=outcome.provider, provider_message_id=outcome.provider_message_id, next_look_at=look)
    tx.put(tx.memory.attempts, key, row)


def abandon(tx: Transaction, row: DeliveryRow, now: datetime) -> None:
    """Record an attempt that nobody came back from."""
    held = row.delivery
    if held.token is None:
        return
    said = AttemptRecorded(
        channel=held.channel,
        epoch=held.epoch,
        attempt=held.attempt,
        token=held.token,
        outcome=OutcomeKind.AMBIGUOUS,
        code="lease expired",
        reason="whoever held the claim did not come back in time",
    )
    attempt = AttemptRow(
        notification_id=row.notification_id,
        tenant=row.tenant,
        said=said,
        ambiguous=True,
        started_at=row.claimed_at,
        ended_at=now,
    )
    tx.insert(tx.memory.attempts, (row.notification_id, held.token), attempt)


def suppress(channel: Channel, item: Recorded, tx: Transaction) -> None:
    """Send nothing more to an address that is dead."""
    if item.outcome.suppress and item.address:
        tx.insert(tx.memory.suppressions, (item.tenant, channel, item.address), item.outcome.code)


def give_back(channel: Channel, unused: Sequence[tuple[UUID, UUID]], tx: Transaction) -> None:
    """Undo claims under which nothing was called."""
    for notification, token in unused:
        key = (notification, channel)
        row = tx.get(tx.memory.deliveries, key) and tx.lock(tx.memory.deliveries, key)
        if row and _is_held(row.delivery, token):
            delivery = row.delivery.but(status=DeliveryStatus.QUEUED, token=None, lease_until=None)
            delivery = delivery.but(tries=max(delivery.tries - 1, 0))
            tx.put(tx.memory.deliveries, key, row.but(delivery=delivery, updated_at=tx.memory.now()))


def postpone(channel: Channel, command: Command, seconds: float, why: str, tx: Transaction) -> float:
    """Let an attempt wait for its provider; return in how many seconds it is due."""
    key, now = (command.notification_id, channel), tx.memory.now()
    row = tx.get(tx.memory.deliveries, key) and tx.lock(tx.memory.deliveries, key)
    if not row or row.delivery.status not in WAITING:
        return seconds
    held = row.delivery
    if (held.attempt, held.epoch) != (command.attempt, command.epoch):
        return seconds
    due_at = held.due_at if held.due_at and held.due_at > now else now + timedelta(seconds=seconds)
    delivery = held.but(status=DeliveryStatus.DEFERRED, due_at=due_at, reason=why)
    tx.put(tx.memory.deliveries, key, row.but(delivery=delivery, updated_at=now))
    entry = Entry(what=What.DEFERRED, why=why, channel=channel, detail={"attempt": command.attempt})
    _tell(tx, command.notification_id, entry)
    return (due_at - now).total_seconds()


def shelve(tx: Transaction, row: DeliveryRow, until: datetime, *, is_takeover: bool) -> None:
    """Let an attempt wait until its person may be disturbed."""
    key, now, held = (row.notification_id, row.delivery.channel), tx.memory.now(), row.delivery
    delivery = held.but(status=DeliveryStatus.DEFERRED, due_at=until, reason=QUIET_HOURS, token=None)
    delivery = delivery.but(lease_until=None, takeovers=held.takeovers + is_takeover)
    tx.put(tx.memory.deliveries, key, row.but(delivery=delivery, updated_at=now))
    detail = {"attempt": held.attempt, "due_at": until.isoformat()}
    entry = Entry(what=What.DEFERRED, channel=held.channel, why=QUIET_HOURS, detail=detail)
    _tell(tx, row.notification_id, entry)


def _tell(tx: Transaction, notification: UUID, entry: Entry) -> None:
    line = TimelineRow(notification_id=notification, at=tx.memory.now(), entries=(entry,))
    tx.put(tx.memory.timeline, (notification, -len(tx.all(tx.memory.timeline)) - 1), line)
