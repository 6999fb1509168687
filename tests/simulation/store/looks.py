"""Looks that are brought forward, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.store.looks import Looks
from shared.waits import Wait
from tests.simulation.store.engine import Memory, Transaction


class MemoryLooks(Looks):
    """The room of looks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def look_by(self, waits: Sequence[Wait]) -> int:
        """Look at sagas when they have waited, if the sweep would look later."""
        return await self._memory.run(lambda tx: sum(_sooner(tx, wait) for wait in _in_order(waits)))

    async def fan_outs_by(self, keys: Sequence[UUID], seconds: float) -> int:
        """Look so soon at events for many users that are not expanded."""
        return await self._memory.run(lambda tx: sum(_fan_out_sooner(tx, key, seconds) for key in sorted(set(keys))))

    async def late_successes_by(self, pairs: Sequence[tuple[UUID, UUID]], seconds: float) -> int:
        """Look so soon at successes that no saga knows yet."""
        return await self._memory.run(lambda tx: sum(_success_sooner(tx, pair, seconds) for pair in sorted(set(pairs))))


def _in_order(waits: Sequence[Wait]) -> list[Wait]:
    earliest: dict[UUID, Wait] = {}
    for wait in sorted(waits, key=lambda wait: (wait.notification_id, wait.seconds)):
        earliest.setdefault(wait.notification_id, wait)
    return list(earliest.values())


def _sooner(tx: Transaction, wait: Wait) -> int:
    table, key, soon = tx.memory.notifications, wait.notification_id, tx.memory.now() + timedelta(seconds=wait.seconds)
    seen = tx.get(table, key)
    if seen is None or seen.saga.next_look_at is None or seen.saga.next_look_at <= soon:
        return 0
    row = tx.lock(table, key)
    if row is None or row.saga.next_look_at is None or row.saga.next_look_at <= soon:
        return 0
    tx.put(table, key, row.but(saga=row.saga.but(next_look_at=soon)))
    return 1


def _fan_out_sooner(tx: Transaction, key: UUID, seconds: float) -> int:
    table, soon = tx.memory.fan_outs, tx.memory.now() + timedelta(seconds=seconds)
    row = None if tx.is_locked(table, key) else tx.get(table, key)
    if row is None or row.next_look_at is None or row.next_look_at <= soon:
        return 0
    tx.put(table, key, row.but(next_look_at=soon))
    return 1


def _success_sooner(tx: Transaction, pair: tuple[UUID, UUID], seconds: float) -> int:
    table, soon = tx.memory.attempts, tx.memory.now() + timedelta(seconds=seconds)
    row = None if tx.is_locked(table, pair) else tx.get(table, pair)
    if row is None or row.next_look_at is None or row.next_look_at <= soon:
        return 0
    tx.put(table, pair, row.but(next_look_at=soon))
    return 1
