"""Successes that found their delivery in other hands, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.saga import ResultOwed
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.store.late_successes import LateSuccess
from tests.simulation.store.engine import Transaction
from tests.simulation.store.rows import AttemptRow


def due_successes(tx: Transaction, limit: int) -> list[LateSuccess]:
    """List what is due to be announced, oldest first, and let it be due again later."""
    now, table = tx.memory.now(), tx.memory.attempts
    looks = [(row.next_look_at, key) for key, row in tx.all(table).items() if row.next_look_at is not None]
    due = [key for look, key in sorted(looks) if look <= now and not tx.is_locked(table, key)]
    found = [row for key in due[:limit] if (row := tx.lock(table, key)) is not None]
    for row in found:
        later = row.but(next_look_at=now + timedelta(seconds=FIRST_LOOK_SECONDS))
        tx.put(table, (row.notification_id, row.said.token), later)
    return [_late_success(tx, row) for row in found]


def settle(tx: Transaction, known: Sequence[tuple[UUID, UUID]]) -> None:
    """Announce successes no more."""
    for key in sorted(known):
        row = tx.get(tx.memory.attempts, key)
        if row is not None and row.next_look_at is not None:
            newest = tx.lock(tx.memory.attempts, key)
            assert newest is not None
            tx.put(tx.memory.attempts, key, newest.but(next_look_at=None))


def _late_success(tx: Transaction, row: AttemptRow) -> LateSuccess:
    notification, said = tx.get(tx.memory.notifications, row.notification_id), row.said
    result = ResultOwed(channel=said.channel, attempt=said.attempt, epoch=said.epoch, token=said.token, succeeded=True)
    trace = notification.saga.traceparent if notification else None
    return LateSuccess(id=row.notification_id, tenant=row.tenant, epoch=said.epoch, traceparent=trace, result=result)
