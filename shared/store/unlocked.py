"""Sagas that are read without a lock, and written only if nothing that was read has changed meanwhile.

Optimistic concurrency: two statements instead of five or six, and no lock is held while it is decided. Nearly always
nobody else is at work on a saga; where somebody is, or where more is to be written than a saga, its deliveries and its
lines, the set is folded again under locks (docs/decisions/0025-folding-without-locks.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

from psycopg import errors

from shared.saga import AttemptRecorded, Delivery, ReceiptRecorded, Saga
from shared.saga.owed import GRACE
from shared.statuses import UNDER_WAY, NotificationStatus
from shared.store.abandoning import given_up
from shared.store.changes import Change, delivery_columns, is_resolved
from shared.store.columns import Column, Texts, Uuids, transposed
from shared.store.database import Connection, Database
from shared.store.digests import Joining, Window
from shared.store.facts import COLUMNS as FACT_COLUMNS
from shared.store.facts import SOURCES as FACT_SOURCES
from shared.store.facts import Facts, facts, facts_of
from shared.store.saga_rows import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    DELIVERY_WIDTH,
    HAS_BOUNCED,
    NOTIFICATION_COLUMNS,
    NOTIFICATION_WIDTH,
    NOW,
    PLAN,
    attempt_of,
    delivery_of,
    saga_of,
)
from shared.store.saga_sql import CHANGED_IF_SEEN, DELIVERY_LIST, DELIVERY_VALUES, TOLD
from shared.store.sagas import SagaSet
from shared.store.template_versions import KnownVersions

_FRESH = f"SELECT n.xmin::text, {NOTIFICATION_COLUMNS}, {FACT_COLUMNS} {FACT_SOURCES}"
_ANSWERED = f"""
SELECT n.xmin::text, {NOTIFICATION_COLUMNS}, d.xmin::text, {DELIVERY_COLUMNS}, {ATTEMPT_COLUMNS}
FROM unnest(%b::uuid[], %b::uuid[]) AS w(id, token) JOIN notifications n ON n.id = w.id
     JOIN attempts a ON a.notification_id = w.id AND a.token = w.token
     JOIN deliveries d ON d.notification_id = w.id
"""  # noqa: S608 - constants of ours
_SAVE = f"""
WITH changed AS (
    {CHANGED_IF_SEEN} RETURNING n.id
), told AS (
    {TOLD}
), moved AS (
    UPDATE deliveries d
    SET status = e.status, position = e.position, epoch = e.epoch, attempt = e.attempt, tries = e.tries,
        deferrals = e.deferrals, takeovers = e.takeovers, due_at = e.due_at, lease_until = e.lease_until,
        outcome = e.outcome, deadline = e.deadline, reason = e.reason, updated_at = clock_timestamp(),
        content = CASE WHEN e.content = 'null' THEN d.content ELSE e.content END,
        token = CASE WHEN e.epoch = d.epoch THEN d.token END
    FROM unnest({DELIVERY_VALUES}, %b::text[]) AS e({DELIVERY_LIST}, seen)
    WHERE d.notification_id = e.notification_id AND d.channel = e.channel AND d.xmin = e.seen::xid
      AND (SELECT count(*) FROM changed) IS NOT NULL  -- sagas first, as wherever else both are locked
    RETURNING d.channel
), added AS (
    INSERT INTO deliveries ({DELIVERY_LIST}) SELECT * FROM unnest({DELIVERY_VALUES}) AS a({DELIVERY_LIST})
    WHERE (SELECT count(*) FROM moved) IS NOT NULL
)
SELECT refuse_changed((SELECT count(*) FROM changed) + (SELECT count(*) FROM moved), %b)
"""  # noqa: S608 - constants of ours


class ChangedMeanwhile(Exception):
    """The set must be folded under locks: somebody else wrote, or more is at stake than this way can write."""


class UnlockedSet(SagaSet):
    """What was read of a set of sagas. Nothing of it is held."""

    def __init__(
        self, connection: Connection, known_versions: KnownVersions | None = None, grace: timedelta = GRACE
    ) -> None:
        super().__init__(connection, known_versions, grace)
        self._seen: dict[UUID, str] = {}
        self._deliveries_seen: dict[tuple[UUID, str], str] = {}
        self._facts: dict[UUID, Facts] = {}
        self._attempts: dict[tuple[UUID, UUID], AttemptRecorded] = {}

    async def load(self, ids: Iterable[UUID], pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Change]:
        """Read sagas that are to be routed, with their facts, and those of whose attempts (id, token) came an outcome.

        Raises:
            ChangedMeanwhile: one of them is not as it nearly always is.
        """
        answered = {key for key, _ in pairs}
        if len(answered) < len(pairs):
            _give_up("two outcomes of one saga")
        fresh = sorted(set(ids) - answered)
        found = {**await self._read_fresh(fresh), **await self._read_answered(sorted(pairs))}
        if len(found) < len(fresh) + len(pairs):
            _give_up("something that is not there")
        return {key: Change(before=saga, after=saga) for key, saga in found.items()}

    async def _read_fresh(self, ids: Sequence[UUID]) -> dict[UUID, Saga]:
        if not ids:
            return {}
        rows = await (await self._connection.execute(_FRESH, (Uuids(ids),))).fetchall()
        found = {}
        for seen, row in ((full[0], full[1:]) for full in rows):
            if row[PLAN] is not None:
                _give_up("it is routed already")
            self.now, self._seen[row[0]] = row[NOW], seen
            self._facts[row[0]] = facts_of(row[NOTIFICATION_WIDTH:], self.now)
            found[row[0]] = saga_of(row, ())
        return found

    async def _read_answered(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Saga]:
        if not pairs:
            return {}
        rows = await (await self._connection.execute(_ANSWERED, transposed((Uuids, Uuids), pairs))).fetchall()
        sagas: dict[UUID, tuple[Any, ...]] = {}
        deliveries: dict[UUID, list[Delivery]] = {}
        for seen, row in ((full[0], full[1:]) for full in rows):
            key, delivery, attempt = (
                row[0],
                row[NOTIFICATION_WIDTH + 1 :],
                row[NOTIFICATION_WIDTH + 1 + DELIVERY_WIDTH :],
            )
            if row[HAS_BOUNCED] or attempt[-1]:
                _give_up("what its provider reported, or a late success")
            self.now, self._seen[key], sagas[key] = row[NOW], seen, row
            self._deliveries_seen[key, delivery[1]] = row[NOTIFICATION_WIDTH]
            self._attempts[key, attempt[1]] = attempt_of(attempt)
            deliveries.setdefault(key, []).append(delivery_of(delivery))
        return {key: saga_of(row, tuple(deliveries[key])) for key, row in sagas.items()}

    async def lock(self, ids: Iterable[UUID]) -> dict[UUID, Change]:
        """Refuse to: nothing is locked here."""
        _give_up("a lock is asked for")

    async def lock_due(self, limit: int) -> dict[UUID, Change]:
        """Refuse to: nothing is locked here."""
        _give_up("a lock is asked for")

    async def attempts(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], AttemptRecorded]:
        """Hand out the attempts that were read."""
        return self._attempts

    async def receipts(self, ids: Sequence[UUID]) -> dict[UUID, list[ReceiptRecorded]]:
        """Refuse to read receipts."""
        if ids:
            _give_up("receipts")
        return {}

    async def facts(self, ids: Sequence[UUID]) -> dict[UUID, Facts]:
        """Hand out the facts that were read; read those of a next channel."""
        unread = [key for key in ids if key not in self._facts]
        return {**self._facts, **await facts(self._connection, unread, self.now)}

    async def join(self, joining: Sequence[Joining]) -> dict[UUID, Window]:
        """Refuse to: who joins a digest holds its window open until all is written."""
        _give_up("a digest")

    async def bury(self, kind: str, step: str, sagas: Sequence[Saga]) -> None:
        """Refuse to bury: that belongs into one transaction with what else is written."""
        if sagas:
            _give_up("a dead letter")

    async def retract(self, ids: Sequence[UUID]) -> set[UUID]:
        """Refuse to."""
        _give_up("an inbox")

    async def save(self, changes: Sequence[Change], *, looked: bool = False) -> None:
        """Write what changed in one statement, or nothing.

        Raises:
            ChangedMeanwhile: what was read is not true any more, or this way cannot write it.
        """
        written = sorted((change for change in changes if change.entries), key=lambda change: change.before.id.int)
        if looked or any(needs_locks(change) for change in written):
            _give_up("more than a saga, its deliveries and its lines")
        if not written:
            return
        try:
            await self._connection.execute(_SAVE, self._values(written))
        except (errors.SerializationFailure, errors.UniqueViolation):
            raise ChangedMeanwhile("it was written by somebody else") from None

    def _values(self, changes: Sequence[Change]) -> list[Column | int]:
        pairs = [(change, delivery) for change in changes for delivery in change.touched()]
        known = [(c, d) for c, d in pairs if (c.before.id, d.channel.value) in self._deliveries_seen]
        added = [(c, d) for c, d in pairs if (c.before.id, d.channel.value) not in self._deliveries_seen]
        return [
            *self._saga_columns(changes, looked=False),
            Texts([self._seen[change.before.id] for change in changes]),
            *self._line_columns(changes),
            *delivery_columns(known),
            Texts([self._deliveries_seen[change.before.id, delivery.channel.value] for change, delivery in known]),
            *delivery_columns(added),
            len(changes) + len(known),
        ]


def needs_locks(change: Change) -> bool:
    """Tell whether other tables are to be written, or another delivery may move while this is decided."""
    touched = {delivery.channel for delivery in change.touched()}
    moving = any(held.status in UNDER_WAY and held.channel not in touched for held in change.before.deliveries)
    ends_unknown = change.after.status is NotificationStatus.UNKNOWN
    in_digest = change.before.is_digest or change.before.digest_id is not None
    return moving or in_digest or ends_unknown or is_resolved(change) or bool(given_up(change))


def _give_up(why: str) -> NoReturn:
    raise ChangedMeanwhile(why)


class UnlockedSagas:
    """The room of orchestrate, where nothing unusual has happened."""

    def __init__(self, database: Database, grace: timedelta = GRACE) -> None:
        self._database = database
        self._grace = grace
        self._known_versions = KnownVersions()

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[SagaSet]:
        """Borrow a connection for a set of sagas that is read, decided and written in statements of their own.

        Raises:
            DatabaseUnavailable: something that passes; nothing was written, or the outcome is unknown.
        """
        async with self._database.connection() as connection:
            yield UnlockedSet(connection, self._known_versions, self._grace)
