"""Dead letters in memory."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from shared.ids import NAMESPACE
from shared.saga import Replayed, Saga, decide
from shared.store.dead_letters import REPLAY_WINDOW_SECONDS, DeadLetters, KeptBytes, hash_of
from shared.tenants import OPEN_TENANT
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import DeadLetterRow
from tests.simulation.store.sagas import MemorySagaSet


class MemoryDeadLetters(DeadLetters):
    """The room of everything that needs a person."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def keep_bytes(self, kind: str, step: str, reason: str, body: bytes, tenant: str = OPEN_TENANT) -> KeptBytes:
        """Keep what no step can use, as it came. The same bytes at the same step are kept once."""
        key = uuid5(NAMESPACE, f"{step}\x1f{reason}\x1f{hash_of(body)}")
        now = self._memory.now()
        row = DeadLetterRow(id=key, tenant=tenant, kind=kind, step=step, reason=reason, body=body, created_at=now)
        is_new = await self._memory.run(lambda tx: tx.insert(tx.memory.dead_letters, key, row))
        return KeptBytes(key, is_new)

    async def count_failure(self, step: str, event_id: str) -> int:
        """Count an unexpected failure of a step on an event; return how many there were."""
        return await self._memory.run(partial(_count, (step, event_id)))

    async def listing(self, tenant: str, *, status: str = "open", limit: int = 100) -> list[dict[str, Any]]:
        """List dead letters, newest first."""
        found = [row for row in self._memory.dead_letters.rows.values() if (row.tenant, row.status) == (tenant, status)]
        found.sort(key=lambda row: row.id)
        found.sort(key=lambda row: row.created_at, reverse=True)
        return [_document(row) for row in found[:limit]]

    async def get(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Read one dead letter."""
        row = self._memory.dead_letters.rows.get(key)
        return _document(row) if row is not None and row.tenant == tenant else None

    async def replay(self, tenant: str, key: UUID, by: str) -> Saga | None:
        """Start the saga of an open dead letter over; None when it is not open any more."""
        async with self._memory.transaction() as transaction:
            notification = await transaction.run(partial(_take, tenant, key, by))
            if notification is None:
                return None
            sagas = MemorySagaSet(transaction)
            change = (await sagas.lock([notification]))[notification]
            replayed = Replayed(by=by, window_seconds=REPLAY_WINDOW_SECONDS)
            change.take(decide(change.before, replayed, sagas.now))
            await sagas.save([change])
            return change.after


def _count(key: tuple[str, str], tx: Transaction) -> int:
    count = (tx.lock(tx.memory.step_failures, key) or 0) + 1
    tx.put(tx.memory.step_failures, key, count)
    return count


def _take(tenant: str, key: UUID, by: str, tx: Transaction) -> UUID | None:
    if tx.get(tx.memory.dead_letters, key) is None:
        return None
    row = tx.lock(tx.memory.dead_letters, key)
    if row is None or (row.tenant, row.status) != (tenant, "open") or row.notification_id is None:
        return None
    taken = row.but(status="replayed", settled_at=tx.memory.now(), settled_by=by)
    tx.put(tx.memory.dead_letters, key, taken)
    return row.notification_id


def _document(row: DeadLetterRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "kind": row.kind,
        "status": row.status,
        "notification_id": str(row.notification_id) if row.notification_id else None,
        "epoch": row.epoch,
        "step": row.step,
        "reason": row.reason,
        "body_base64": base64.b64encode(row.body).decode() if row.body is not None else None,
        "created_at": row.created_at.isoformat(),
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
    }
