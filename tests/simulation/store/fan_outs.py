"""Events for many users, in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.saga.owed import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS
from shared.store.fan_outs import (
    Expanded,
    FanOutOwed,
    FanOuts,
    MakeRows,
    NewFanOut,
    count_of,
    document_of,
    owed_after,
    waiting,
)
from shared.store.intake import Kept
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.intake import keep
from tests.simulation.store.rows import FanOutRow


class MemoryFanOuts(FanOuts):
    """The room of events for many users."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def keep(self, new: NewFanOut) -> tuple[Kept, int]:
        """Keep one; return whether it is new, and for how many users it is expanded."""
        return await self._memory.run(lambda tx: _keep(tx, new))

    async def expand(self, key: UUID, position: int, make_rows: MakeRows) -> Expanded | None:
        """Make the notifications of the next users, from a position on."""
        async with self._memory.transaction() as transaction:
            row = await transaction.run(lambda tx: tx.lock(tx.memory.fan_outs, key))
            users = row.new.user_ids[position : position + self.users_at_once] if row else ()
            if row is None or position > row.expanded or not users:
                return None
            made = make_rows(row.new.event, users)
            kept = await transaction.run(lambda tx: keep(tx, made))
            if position == row.expanded:
                row = _advanced(transaction, row, len(users), count_of(kept, Kept.CONFLICT))
                transaction.put(self._memory.fan_outs, key, row)
        total = len(row.new.user_ids)
        return Expanded(
            tenant=row.new.tenant,
            traceparent=row.new.traceparent,
            ids=waiting(made, kept),
            new=count_of(kept, Kept.NEW),
            next_position=owed_after(position, len(users), row.expanded, total),
        )

    async def due(self, limit: int) -> list[FanOutOwed]:
        """List those that nobody goes on with, oldest first; each is due again later."""
        return await self._memory.run(lambda tx: _due(tx, limit))

    async def hasten(self) -> int:
        """Let the sweep look soon at all that are not expanded: the broker has lost what it held."""
        return await self._memory.run(_hasten)

    async def document(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Show how far one is."""
        row = self._memory.fan_outs.rows.get(key)
        if row is None or row.new.tenant != tenant:
            return None
        return document_of(
            key,
            {
                "event_type": row.new.event_type,
                "total": len(row.new.user_ids),
                "expanded": row.expanded,
                "conflicting": row.conflicting,
                "created_at": row.created_at,
                "completed_at": row.completed_at,
            },
        )


def _keep(tx: Transaction, new: NewFanOut) -> tuple[Kept, int]:
    now = tx.memory.now()
    has_rival = new.rival is not None and tx.get(tx.memory.notifications, new.rival) is not None
    row = FanOutRow(new=new, created_at=now, next_look_at=now + timedelta(seconds=FIRST_LOOK_SECONDS))
    if not has_rival and tx.insert(tx.memory.fan_outs, new.id, row):
        return Kept.NEW, 0
    known = tx.get(tx.memory.fan_outs, new.id)
    if known is None or known.new.tenant != new.tenant or known.new.body_hash != new.body_hash:
        return Kept.CONFLICT, 0
    return Kept.KNOWN, known.expanded


def _advanced(tx: Transaction, row: FanOutRow, count: int, conflicts: int) -> FanOutRow:
    now = tx.memory.now()
    is_done = row.expanded + count >= len(row.new.user_ids)
    return row.but(
        expanded=row.expanded + count,
        conflicting=row.conflicting + conflicts,
        looks=0,
        next_look_at=None if is_done else now + timedelta(seconds=FIRST_LOOK_SECONDS),
        completed_at=now if is_done else None,
    )


def _hasten(tx: Transaction) -> int:
    table, now = tx.memory.fan_outs, tx.memory.now()
    soon = now + timedelta(seconds=10)
    found = [key for key, row in sorted(tx.all(table).items()) if row.next_look_at and row.next_look_at > soon]
    free = [key for key in found if not tx.is_locked(table, key)]
    for key in free:
        row = tx.lock(table, key)
        assert row is not None
        look = now + timedelta(seconds=10 * tx.memory.random.random())
        tx.put(table, key, row.but(looks=0, next_look_at=look))
    return len(free)


def _due(tx: Transaction, limit: int) -> list[FanOutOwed]:
    table, now = tx.memory.fan_outs, tx.memory.now()
    rows = {key: row for key, row in tx.all(table).items() if row.next_look_at and row.next_look_at <= now}
    free = [key for key in sorted(rows, key=lambda key: str(rows[key].next_look_at)) if not tx.is_locked(table, key)]
    for key in free[:limit]:
        wait = min(FIRST_LOOK_SECONDS * 2 ** rows[key].looks, LONGEST_LOOK_SECONDS)
        tx.put(table, key, rows[key].but(looks=rows[key].looks + 1, next_look_at=now + timedelta(seconds=wait)))
    return [
        FanOutOwed(
            id=key,
            tenant=rows[key].new.tenant,
            traceparent=rows[key].new.traceparent,
            position=rows[key].expanded,
        )
        for key in free[:limit]
    ]
