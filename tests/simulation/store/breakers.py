"""Breakers in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from shared.store.breakers import (
    FAILURES_TO_OPEN,
    OPEN_SECONDS,
    PROBE_SECONDS,
    Breaker,
    Breakers,
    BreakerState,
)
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import BreakerRow

Key = tuple[str, str]


class MemoryBreakers(Breakers):
    """The room of the breaker."""

    def __init__(self, memory: Memory, *, open_seconds: float = OPEN_SECONDS) -> None:
        self._memory = memory
        self._open = timedelta(seconds=open_seconds)

    async def read(self, tenant: str, provider: str) -> Breaker:
        """Read a breaker; one that never failed has no row."""
        row = self._memory.breakers.rows.get((tenant, provider))
        if row is None:
            return Breaker()
        until = row.probe_until if row.state is BreakerState.HALF_OPEN else row.opened_until
        wait = max((until - self._memory.now()).total_seconds(), 0.0) if until else 0.0
        return Breaker(state=row.state, failures=row.failures, wait_seconds=wait)

    async def fail(self, tenant: str, provider: str, token: UUID | None) -> None:
        """Count a failure of the provider; the fifth in a row, or that of the probe, opens it."""
        await self._memory.run(partial(_fail, (tenant, provider), token, self._open))

    async def succeed(self, tenant: str, provider: str, token: UUID | None) -> None:
        """Close it: the run of failures is over, or the probe came through."""
        await self._memory.run(partial(_succeed, (tenant, provider), token))

    async def try_probe(self, tenant: str, provider: str, token: UUID) -> bool:
        """Ask to be the one probe, across all processes."""
        return await self._memory.run(partial(_try_probe, (tenant, provider), token))

    async def release(self, tenant: str, provider: str, token: UUID) -> None:
        """Free the place of a probe that called nothing."""
        await self._memory.run(partial(_release, (tenant, provider), token))


def _fail(key: Key, token: UUID | None, open_for: timedelta, tx: Transaction) -> None:
    table, now = tx.memory.breakers, tx.memory.now()
    row = tx.lock(table, key)
    if row is None:
        tx.put(table, key, BreakerRow(failures=1))
        return
    if row.state is BreakerState.HALF_OPEN and row.probe_token != token:
        return
    opens = row.state is not BreakerState.CLOSED or row.failures + 1 >= FAILURES_TO_OPEN
    state = BreakerState.OPEN if opens else BreakerState.CLOSED
    changed = BreakerRow(state=state, failures=row.failures + 1, opened_until=_opened_until(row, now, open_for, opens))
    tx.put(table, key, changed)


def _opened_until(row: BreakerRow, now: datetime, open_for: timedelta, opens: bool) -> datetime | None:
    if row.state is BreakerState.OPEN and row.opened_until is not None and row.opened_until > now:
        return row.opened_until
    return now + open_for if opens else None


def _succeed(key: Key, token: UUID | None, tx: Transaction) -> None:
    row = tx.lock(tx.memory.breakers, key)
    is_probe = row is not None and row.state is BreakerState.HALF_OPEN and row.probe_token == token
    if row is not None and (row.state is BreakerState.CLOSED or is_probe):
        tx.put(tx.memory.breakers, key, BreakerRow())


def _try_probe(key: Key, token: UUID, tx: Transaction) -> bool:
    row, now = tx.lock(tx.memory.breakers, key), tx.memory.now()
    if row is None or row.state is BreakerState.CLOSED:
        return False
    until = row.opened_until if row.state is BreakerState.OPEN else row.probe_until
    if until is None or until > now:
        return False
    probe_until = now + timedelta(seconds=PROBE_SECONDS)
    changed = row.but(state=BreakerState.HALF_OPEN, probe_token=token, probe_until=probe_until)
    tx.put(tx.memory.breakers, key, changed)
    return True


def _release(key: Key, token: UUID, tx: Transaction) -> None:
    row = tx.lock(tx.memory.breakers, key)
    if row is not None and row.state is BreakerState.HALF_OPEN and row.probe_token == token:
        tx.put(tx.memory.breakers, key, row.but(probe_until=tx.memory.now()))
