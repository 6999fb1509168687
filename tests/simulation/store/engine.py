"""Tables in memory with what the steps rely on in Postgres: transactions at READ COMMITTED, row locks, one clock.

A statement is a plain function over a transaction. It runs in one go, unless a row that it locks is somebody else's:
then what it wrote is undone, it waits, and it runs again. As in Postgres, rows that it locks are then the newest, and
rows that it only reads are those of the moment at which it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Generic, TypeVar
from uuid import UUID

from shared.errors import DatabaseUnavailable
from shared.saga.owed import GRACE
from shared.statuses import DELIVERY_TRANSITIONS, MEMBER_TRANSITIONS, NOTIFICATION_TRANSITIONS, Channel
from shared.store.database import STATEMENT_SECONDS
from shared.store.directory import User
from shared.store.template_versions import Key
from shared.templates import TemplateVersion
from tests.simulation.store import rows

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")
T = TypeVar("T")


class CheckViolated(Exception):
    """A trigger refuses a change of status."""


class Table(Generic[K, R]):
    """Rows by their key, as they are committed, and who holds which."""

    def __init__(self, check: Callable[[R, R], None] | None = None) -> None:
        self.rows: dict[K, R] = {}
        self.holders: dict[K, Transaction] = {}
        self.check = check


class _Blocked(Exception):
    def __init__(self, table: Table[Any, Any], key: Hashable, holder: Transaction) -> None:
        self.place, self.holder = (table, key), holder


class Memory:
    """The database: its tables, its clock, and the random numbers that it hands out."""

    def __init__(
        self, *, now: Callable[[], datetime] | None = None, random: Random | None = None, grace: timedelta = GRACE
    ) -> None:
        self.now = now or (lambda: datetime.now(UTC))
        self.grace = grace
        self.random = random or Random()
        self.on_commit: Callable[[list[Written]], None] | None = None
        self.deadlocks = 0
        self._waiters: dict[tuple[Table[Any, Any], Hashable], list[asyncio.Future[None]]] = {}
        self.notifications: Table[UUID, rows.NotificationRow] = Table(_check_notification)
        self.fan_outs: Table[UUID, rows.FanOutRow] = Table()
        self.deliveries: Table[tuple[UUID, Channel], rows.DeliveryRow] = Table(_check_delivery)
        self.attempts: Table[tuple[UUID, UUID], rows.AttemptRow] = Table()
        self.receipts: Table[tuple[UUID, Channel, int, str], rows.ReceiptRow] = Table()
        self.timeline: Table[tuple[UUID, int], rows.TimelineRow] = Table()
        self.dead_letters: Table[UUID, rows.DeadLetterRow] = Table()
        self.undoings: Table[tuple[UUID, Channel, int], rows.UndoingRow] = Table()
        self.breakers: Table[tuple[str, str], rows.BreakerRow] = Table()
        self.step_failures: Table[tuple[str, str], int] = Table()
        self.inbox: Table[tuple[UUID, int], rows.InboxRow] = Table()
        self.inbox_cursors: Table[tuple[str, str], rows.CursorRow] = Table()
        self.gauges: Table[str, int] = Table()
        self.digests: Table[UUID, rows.DigestRow] = Table()
        self.open_digests: Table[UUID, UUID | None] = Table()
        self.users: Table[tuple[str, str], User] = Table()
        self.made_users: Table[tuple[str, str], str | None] = Table()
        self.user_changes: Table[tuple[str, str], datetime] = Table()
        self.devices: Table[tuple[str, str, str], rows.DeviceRow] = Table()
        self.preferences: Table[tuple[str, str, str, Channel], bool | None] = Table()
        self.quiet_hours: Table[tuple[str, str], dict[str, Any] | None] = Table()
        self.contact_policies: Table[str, str] = Table()
        self.contact_places: Table[tuple[UUID, Channel, int], rows.PlaceRow] = Table()
        self.contact_counters: Table[tuple[str, str], int] = Table()
        self.suppressions: Table[tuple[str, Channel, str], str] = Table()
        self.workflows: Table[tuple[str, str], dict[str, Any]] = Table()
        self.templates: Table[tuple[str, str], int] = Table()
        self.template_versions: Table[Key, TemplateVersion] = Table()
        self.tables: list[Table[Any, Any]] = [table for table in vars(self).values() if isinstance(table, Table)]

    def new_uuid(self) -> UUID:
        """Draw a version 4 UUID."""
        return UUID(int=self.random.getrandbits(128), version=4)

    async def run(self, statement: Callable[[Transaction], T]) -> T:
        """Run one statement that commits by itself."""
        transaction = Transaction(self)
        try:
            result = await transaction.run(statement)
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()
        return result

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; it is committed at the end, and undone by an exception."""
        transaction = Transaction(self)
        try:
            yield transaction
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()

    def waiter(self, place: tuple[Table[Any, Any], Hashable]) -> asyncio.Future[None]:
        """Wait for a row to be free."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(place, []).append(future)
        return future

    def wake(self, place: tuple[Table[Any, Any], Hashable]) -> None:
        """Let all try again who wait for a row."""
        if not self._waiters:
            return
        for future in self._waiters.pop(place, ()):
            if not future.done():
                future.set_result(None)


Written = tuple[Table[Any, Any], Any, Any, Any]
"""Table, key, the row before (None when it is new) and after."""


class Transaction:
    """What one connection has written and locked, and nobody else sees."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.waits_for: Transaction | None = None
        self._written: dict[tuple[Table[Any, Any], Hashable], Any] = {}
        self._locked: list[tuple[Table[Any, Any], Hashable]] = []
        self._snapshot: dict[Table[Any, Any], dict[Any, Any]] | None = None
        self.is_over = False

    async def run(self, statement: Callable[[Transaction], T]) -> T:
        """Run a statement, waiting for the rows that it locks.

        Raises:
            DatabaseUnavailable: it waited too long, or for somebody who waits for this transaction.
        """
        before = dict(self._written)
        try:
            while True:
                try:
                    return statement(self)
                except _Blocked as blocked:
                    self._written = dict(before)
                    if self._snapshot is None:
                        self._snapshot = {table: dict(table.rows) for table in self.memory.tables}
                    await self._wait(blocked)
        finally:
            self._snapshot = None

    async def _wait(self, blocked: _Blocked) -> None:
        other: Transaction | None = blocked.holder
        while other is not None:
            if other is self:
                self.memory.deadlocks += 1
                raise DatabaseUnavailable("DeadlockDetected")
            other = other.waits_for
        self.waits_for = blocked.holder
        waiting = self.memory.waiter(blocked.place)
        patience = asyncio.get_running_loop().call_later(STATEMENT_SECONDS, _give_up, waiting)
        try:
            await waiting
        finally:
            patience.cancel()
            self.waits_for = None

    def get(self, table: Table[K, R], key: K) -> R | None:
        """Read a row without a lock."""
        if self._written and (table, key) in self._written:
            found: R = self._written[table, key]
            return found
        return (table.rows if self._snapshot is None else self._snapshot[table]).get(key)

    def all(self, table: Table[K, R]) -> dict[K, R]:
        """Read every row of a table without a lock."""
        visible = dict(table.rows if self._snapshot is None else self._snapshot[table])
        if self._written:
            visible.update({key: row for (place, key), row in self._written.items() if place is table})
        return visible

    def lock(self, table: Table[K, R], key: K) -> R | None:
        """Lock a row and read the newest of it: FOR UPDATE."""
        holder = table.holders.get(key)
        if holder is None:
            table.holders[key] = self
            self._locked.append((table, key))
        elif holder is not self:
            raise _Blocked(table, key, holder)
        if self._written and (table, key) in self._written:
            mine: R = self._written[table, key]
            return mine
        return table.rows.get(key)

    def is_locked(self, table: Table[K, R], key: K) -> bool:
        """Tell whether somebody else holds a row: SKIP LOCKED."""
        return table.holders.get(key, self) is not self

    def put(self, table: Table[K, R], key: K, row: R) -> None:
        """Write a row.

        Raises:
            CheckViolated: its status may not follow the one before.
        """
        before = self.lock(table, key)
        if before is not None and table.check:
            table.check(before, row)
        self._written[table, key] = row

    def insert(self, table: Table[K, R], key: K, row: R) -> bool:
        """Write a row unless there is one; tell whether there was none: ON CONFLICT DO NOTHING."""
        if key in table.rows or self.lock(table, key) is not None:
            return False
        self._written[table, key] = row
        return True

    def commit(self) -> None:
        """Let everybody see what was written."""
        written = [(table, key, table.rows.get(key), row) for (table, key), row in self._written.items()]
        for table, key, _, row in written:
            table.rows[key] = row
        self._end()
        if written and self.memory.on_commit:
            self.memory.on_commit(written)

    def rollback(self) -> None:
        """Forget what was written."""
        self._written.clear()
        self._end()

    def _end(self) -> None:
        self.is_over = True
        for table, key in self._locked:
            del table.holders[key]
        for place in self._locked:
            self.memory.wake(place)
        self._locked.clear()


def _give_up(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_exception(DatabaseUnavailable("QueryCanceled"))


def _check_notification(before: rows.NotificationRow, after: rows.NotificationRow) -> None:
    old, new = before.saga.status, after.saga.status
    table = NOTIFICATION_TRANSITIONS if after.saga.digest_id is None else MEMBER_TRANSITIONS
    if old is not new and new not in table[old]:
        raise CheckViolated(f"notification {old} -> {new}")


def _check_delivery(before: rows.DeliveryRow, after: rows.DeliveryRow) -> None:
    old, new = before.delivery.status, after.delivery.status
    if old is not new and new not in DELIVERY_TRANSITIONS[old]:
        raise CheckViolated(f"delivery {old} -> {new}")
