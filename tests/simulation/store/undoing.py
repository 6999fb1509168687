"""What is asked of providers to take messages back, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.outcomes import Outcome
from shared.saga import Plan, Saga
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store.undoing import CORRECTION_SOURCE, Correction, Undoing
from tests.simulation.store.engine import Transaction
from tests.simulation.store.rows import UndoingRow


def begin(tx: Transaction, asked: Sequence[tuple[Saga, Channel]]) -> list[Undoing]:
    """Count a try for each, and read what is to be taken back."""
    return [_begin(tx, saga, channel) for saga, channel in asked]


def _begin(tx: Transaction, saga: Saga, channel: Channel) -> Undoing:
    table, key = tx.memory.undoings, (saga.id, channel, saga.epoch)
    before = tx.lock(table, key)
    row = before.but(tries=before.tries + 1) if before else UndoingRow()
    tx.put(table, key, row)
    attempts = sorted(
        (one for one in tx.all(tx.memory.attempts).values() if (one.notification_id, one.said.channel) == key[:2]),
        key=lambda one: one.ended_at,
    )
    named = [one.provider_message_id for one in attempts if one.said.outcome is OutcomeKind.ACCEPTED]
    return Undoing(
        notification_id=saga.id,
        channel=channel,
        tries=row.tries,
        outcome=row.outcome,
        reason=row.reason,
        message_ids=tuple(name for name in named if name is not None),
        is_in_doubt=any(one.ambiguous and one.provider_message_id is None for one in attempts),
    )


def note(tx: Transaction, said: Sequence[tuple[Saga, Channel, Outcome]]) -> None:
    """Keep what providers said."""
    for saga, channel, outcome in said:
        key = (saga.id, channel, saga.epoch)
        row = tx.lock(tx.memory.undoings, key)
        if row is not None:
            tx.put(tx.memory.undoings, key, row.but(outcome=outcome.kind, reason=outcome.reason))


def correct(tx: Transaction, corrections: Sequence[Correction]) -> None:
    """Keep corrections as notifications to be sent; each once."""
    for one in corrections:
        _correct(tx, one)


def _correct(tx: Transaction, one: Correction) -> None:
    original = tx.get(tx.memory.notifications, one.corrects)
    if original is None:
        return
    now = tx.memory.now()
    data = {name: said for name, said in original.data.items() if name != "options"}
    saga = Saga(
        id=one.id,
        tenant=original.saga.tenant,
        status=NotificationStatus.PENDING,
        created_at=now,
        expires_at=now + timedelta(hours=24),
        next_look_at=now + timedelta(seconds=FIRST_LOOK_SECONDS),
        traceparent=original.saga.traceparent,
        correlation_id=original.saga.correlation_id,
        plan=Plan(),
    )
    row = original.but(
        saga=saga,
        source=CORRECTION_SOURCE,
        body_hash=one.id.bytes,
        data={**data, "corrects": str(one.corrects)},
        preferred=one.channel,
        has_own_expiry=False,
        collapse_key=original.collapse_key if one.channel is Channel.PUSH else None,
        own_workflow=one.workflow,
        is_routed=False,
        updated_at=now,
    )
    tx.insert(tx.memory.notifications, one.id, row)
