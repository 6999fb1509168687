"""Sagas in memory, read without a lock and written only if nothing has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from shared.saga import AttemptRecorded, Receipt, ReceiptRecorded, Saga
from shared.store.changes import Change
from shared.store.digests import Joining, Window
from shared.store.facts import Facts
from shared.store.sagas import SagaSet
from shared.store.unlocked import ChangedMeanwhile, UnlockedSagas, needs_locks
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.facts import facts_of
from tests.simulation.store.rows import DeliveryRow, NotificationRow
from tests.simulation.store.sagas import MemorySagaSet


class MemoryUnlockedSet(MemorySagaSet):
    """What was read of a set of sagas. A row is what it was while it is the same object."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(Transaction(memory))
        self._memory = memory
        self._seen: list[tuple[Any, Any, Any]] = []
        self._attempts: dict[tuple[UUID, UUID], AttemptRecorded] = {}

    async def load(self, ids: Iterable[UUID], pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Change]:
        """Read sagas that are to be routed, and those of whose attempts came an outcome."""
        answered = dict(pairs)
        if len(answered) < len(pairs):
            raise ChangedMeanwhile
        fresh = sorted(set(ids) - answered.keys())
        changes = await self._memory.run(lambda tx: {key: self._fresh(tx, key) for key in fresh})
        changes |= await self._memory.run(
            lambda tx: {key: self._answered(tx, (key, answered[key])) for key in answered}
        )
        self.now = self._memory.now()
        return changes

    def _fresh(self, tx: Transaction, key: UUID) -> Change:
        row = self._notification(tx, key)
        if row.is_routed:
            raise ChangedMeanwhile
        return Change(before=row.saga, after=row.saga)

    def _answered(self, tx: Transaction, pair: tuple[UUID, UUID]) -> Change:
        row, attempt = self._notification(tx, pair[0]), tx.get(tx.memory.attempts, pair)
        if attempt is None or _has_bounced(tx, pair[0]) or attempt.next_look_at is not None:
            raise ChangedMeanwhile
        self._attempts[pair] = attempt.said
        deliveries: list[DeliveryRow] = []
        for place, delivery in sorted(tx.all(tx.memory.deliveries).items()):
            if place[0] == pair[0]:
                self._seen.append((tx.memory.deliveries, place, delivery))
                deliveries.append(delivery)
        saga = row.saga.but(deliveries=tuple(delivery.delivery for delivery in deliveries))
        return Change(before=saga, after=saga)

    def _notification(self, tx: Transaction, key: UUID) -> NotificationRow:
        row = tx.get(tx.memory.notifications, key)
        if row is None:
            raise ChangedMeanwhile
        self._seen.append((tx.memory.notifications, key, row))
        return row

    async def lock(self, ids: Iterable[UUID]) -> dict[UUID, Change]:
        """Refuse to."""
        raise ChangedMeanwhile

    async def lock_due(self, limit: int) -> dict[UUID, Change]:
        """Refuse to."""
        raise ChangedMeanwhile

    async def attempts(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], AttemptRecorded]:
        """Hand out the attempts that were read."""
        return self._attempts

    async def receipts(self, ids: Sequence[UUID]) -> dict[UUID, list[ReceiptRecorded]]:
        """Refuse to read receipts."""
        if ids:
            raise ChangedMeanwhile
        return {}

    async def facts(self, ids: Sequence[UUID]) -> dict[UUID, Facts]:
        """Read what routing and rendering ask about notifications."""
        return await self._memory.run(lambda tx: facts_of(tx, ids))

    async def join(self, joining: Sequence[Joining]) -> dict[UUID, Window]:
        """Refuse to."""
        raise ChangedMeanwhile

    async def bury(self, kind: str, step: str, sagas: Sequence[Saga]) -> None:
        """Refuse to."""
        if sagas:
            raise ChangedMeanwhile

    async def retract(self, ids: Sequence[UUID]) -> set[UUID]:
        """Refuse to."""
        raise ChangedMeanwhile

    async def save(self, changes: Sequence[Change], *, looked: bool = False) -> None:
        """Write what changed in one statement, or nothing."""
        written = [change for change in changes if change.entries]
        if looked or any(needs_locks(change) for change in written):
            raise ChangedMeanwhile
        if written:
            await self._memory.run(lambda tx: self._write_if_seen(tx, written))

    def _write_if_seen(self, tx: Transaction, changes: Sequence[Change]) -> None:
        ids = {change.before.id for change in changes}
        for table, key, row in sorted(self._seen, key=lambda seen: (seen[0] is tx.memory.deliveries, str(seen[1]))):
            is_written = (key if isinstance(key, UUID) else key[0]) in ids
            if is_written and tx.lock(table, key) is not row:
                raise ChangedMeanwhile
        self._save(tx, changes, looked=False)


def _has_bounced(tx: Transaction, key: UUID) -> bool:
    return any(place[0] == key and place[3] == Receipt.FAILED for place in tx.all(tx.memory.receipts))


class MemoryUnlockedSagas(UnlockedSagas):
    """The room of orchestrate, where nothing unusual has happened."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[SagaSet]:
        """Open a set of sagas that is read, decided and written in statements of their own."""
        yield MemoryUnlockedSet(self._memory)
