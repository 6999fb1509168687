"""Sagas by the set: lock them in id order, read what they need, write what was decided, all in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.outcomes import Outcome
from shared.saga import AttemptRecorded, Delivery, Followed, Receipt, ReceiptRecorded, Saga, next_look
from shared.saga.owed import GRACE, LONGEST_LOOK_SECONDS
from shared.statuses import Channel, NotificationStatus
from shared.store import digests, undoing
from shared.store.abandoning import abandon
from shared.store.burying import bury
from shared.store.changes import Change, delivery_columns, is_resolved, line_of, plan_of
from shared.store.columns import Column, Documents, Integers, Smallints, Texts, Times, Uuids, transposed
from shared.store.database import Connection, Database
from shared.store.facts import Facts, facts
from shared.store.inbox import retract
from shared.store.late_successes import LateSuccess, late_successes, settle
from shared.store.saga_rows import (
    ATTEMPT_COLUMNS,
    DELIVERY_COLUMNS,
    HAS_BOUNCED,
    NOTIFICATION_COLUMNS,
    NOW,
    PLAN,
    attempt_of,
    delivery_of,
    receipt_of,
    saga_of,
)
from shared.store.saga_sql import CHANGED, DELIVERY_LIST, DELIVERY_VALUES, TOLD
from shared.store.template_versions import Key, KnownVersions, read_versions
from shared.store.undoing import Correction, Undoing
from shared.templates import TemplateVersion

_LOCK = f"SELECT {NOTIFICATION_COLUMNS} FROM notifications n WHERE id = ANY(%b) ORDER BY id FOR UPDATE"  # noqa: S608
_LOCK_DUE = f"""
SELECT {NOTIFICATION_COLUMNS} FROM notifications n WHERE next_look_at <= clock_timestamp()
ORDER BY next_look_at LIMIT %b FOR UPDATE SKIP LOCKED
"""  # noqa: S608
_DELIVERIES = f"""
SELECT {DELIVERY_COLUMNS}
FROM deliveries d WHERE notification_id = ANY(%b) ORDER BY notification_id, channel FOR UPDATE
"""  # noqa: S608
_ATTEMPTS = f"""
SELECT {ATTEMPT_COLUMNS}
FROM unnest(%b::uuid[], %b::uuid[]) AS w(notification_id, token) JOIN attempts a USING (notification_id, token)
"""  # noqa: S608
_RECEIPTS = """
SELECT notification_id, channel, epoch, receipt, reason FROM receipts
WHERE notification_id = ANY(%b) ORDER BY notification_id, created_at
"""
_SAVE = f"""
WITH changed AS ({CHANGED}), told AS ({TOLD})
INSERT INTO deliveries AS d ({DELIVERY_LIST})
SELECT * FROM unnest({DELIVERY_VALUES})
ON CONFLICT (notification_id, channel) DO UPDATE
SET status = EXCLUDED.status, position = EXCLUDED.position, epoch = EXCLUDED.epoch, attempt = EXCLUDED.attempt,
    tries = EXCLUDED.tries, deferrals = EXCLUDED.deferrals, takeovers = EXCLUDED.takeovers, due_at = EXCLUDED.due_at,
    lease_until = EXCLUDED.lease_until, outcome = EXCLUDED.outcome, deadline = EXCLUDED.deadline,
    content = CASE WHEN EXCLUDED.content = 'null' THEN d.content ELSE EXCLUDED.content END,
    token = CASE WHEN EXCLUDED.epoch = d.epoch THEN d.token END,
    reason = EXCLUDED.reason, updated_at = clock_timestamp()
"""  # noqa: S608 - constants of ours
_TOUCH = """
UPDATE notifications n SET next_look_at = s.next_look_at, looks = s.looks
FROM unnest(%b::uuid[], %b::timestamptz[], %b::smallint[]) AS s(id, next_look_at, looks) WHERE n.id = s.id
"""
_RESOLVE = """
UPDATE dead_letters SET status = 'resolved', settled_at = clock_timestamp(), settled_by = 'late success'
WHERE notification_id = ANY(%b) AND status = 'open'
"""
_HASTEN = """
UPDATE notifications SET looks = 0, next_look_at = clock_timestamp() + random() * interval '10 seconds'
WHERE id IN (
    SELECT id FROM notifications
    WHERE next_look_at > clock_timestamp() + interval '10 seconds' AND status <> 'scheduled'
    ORDER BY id FOR UPDATE SKIP LOCKED  -- whoever holds a row is at work on it, and publishes what it is owed
)
"""


class SagaSet:
    """The rows that one transaction has locked."""

    def __init__(
        self, connection: Connection, known_versions: KnownVersions | None = None, grace: timedelta = GRACE
    ) -> None:
        self._connection = connection
        self._known_versions = known_versions or KnownVersions()
        self._grace = grace
        self._bounced: set[UUID] = set()
        self.now: datetime = datetime.max

    async def load(self, ids: Iterable[UUID], pairs: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Change]:
        """Read the sagas that events are about; `pairs` are the attempts (id, token) of which came an outcome."""
        return await self.lock(ids)

    async def lock(self, ids: Iterable[UUID]) -> dict[UUID, Change]:
        """Lock sagas in id order."""
        return await self._load(_LOCK, (Uuids(set(ids)),))

    async def lock_due(self, limit: int) -> dict[UUID, Change]:
        """Lock the sagas that must be looked at, oldest first, leaving those that somebody else holds."""
        return await self._load(_LOCK_DUE, (limit,))

    async def _load(self, statement: str, values: Sequence[Any]) -> dict[UUID, Change]:
        rows = await (await self._connection.execute(statement, values)).fetchall()
        if not rows:
            return {}
        self.now = rows[-1][NOW]
        self._bounced |= {row[0] for row in rows if row[HAS_BOUNCED]}
        ids = [row[0] for row in rows]
        deliveries: dict[UUID, list[Delivery]] = {}
        if any(row[PLAN] is not None for row in rows):  # the others are not routed, so they have none
            found = await (await self._connection.execute(_DELIVERIES, (Uuids(ids),))).fetchall()
            for row in found:
                deliveries.setdefault(row[0], []).append(delivery_of(row))
        sagas = {row[0]: saga_of(row, tuple(deliveries.get(row[0], ()))) for row in rows}
        return {key: Change(before=saga, after=saga) for key, saga in sagas.items()}

    async def attempts(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], AttemptRecorded]:
        """Read attempts of locked sagas by (notification, token), to be folded; nothing of them is announced any more.

        A token that nobody was given finds nothing. With an attempt comes what its provider reported of that channel
        and epoch before; what is reported after the lock is folded as a receipt.
        """
        if not pairs:
            return {}
        values = transposed((Uuids, Uuids), pairs)
        rows = await (await self._connection.execute(_ATTEMPTS, values)).fetchall()
        await settle(self._connection, [(row[0], row[1]) for row in rows if row[-1]])
        found = {(row[0], row[1]): attempt_of(row) for row in rows}
        return await self._with_bounces(found) if self._bounced else found

    async def _with_bounces(
        self, found: dict[tuple[UUID, UUID], AttemptRecorded]
    ) -> dict[tuple[UUID, UUID], AttemptRecorded]:
        bounced = {
            (key, receipt.channel, receipt.epoch): receipt.reason
            for key, receipts in (await self.receipts(list(self._bounced))).items()
            for receipt in receipts
            if receipt.receipt is Receipt.FAILED
        }
        return {
            (key, token): replace(attempt, undelivered=bounced.get((key, attempt.channel, attempt.epoch)))
            for (key, token), attempt in found.items()
        }

    async def receipts(self, ids: Sequence[UUID]) -> dict[UUID, list[ReceiptRecorded]]:
        """Read the receipts of notifications, oldest first."""
        found: dict[UUID, list[ReceiptRecorded]] = {}
        if ids:
            for row in await (await self._connection.execute(_RECEIPTS, (Uuids(ids),))).fetchall():
                found.setdefault(row[0], []).append(receipt_of(row))
        return found

    async def facts(self, ids: Sequence[UUID]) -> dict[UUID, Facts]:
        """Read what routing and rendering ask about notifications."""
        return await facts(self._connection, ids, self.now)

    async def templates(self, keys: Collection[Key]) -> Mapping[Key, TemplateVersion]:
        """Read versions of templates; those that this process knows already are not asked for."""
        return await read_versions(self._connection, self._known_versions, keys) if keys else {}

    async def bury(self, kind: str, step: str, sagas: Sequence[Saga]) -> None:
        """Keep sagas as dead letters."""
        await bury(self._connection, kind, step, sagas)

    async def retract(self, ids: Sequence[UUID]) -> set[UUID]:
        """Take messages out of inboxes; return those that were there."""
        return await retract(self._connection, ids)

    async def begin_undoing(self, asked: Sequence[tuple[Saga, Channel]]) -> list[Undoing]:
        """Count a try to take each back, and read what its provider holds."""
        return await undoing.begin(self._connection, asked)

    async def note_undoing(self, said: Sequence[tuple[Saga, Channel, Outcome]]) -> None:
        """Keep what providers said when they were asked to take something back."""
        await undoing.note(self._connection, said)

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Keep corrections as notifications to be sent."""
        await undoing.correct(self._connection, corrections)

    async def join(self, joining: Sequence[digests.Joining]) -> dict[UUID, digests.Window]:
        """Add notifications to the open windows of their digests, or open them; by notification."""
        return await digests.join(self._connection, joining)

    async def members(
        self, statuses: Sequence[NotificationStatus], after: UUID, limit: int, of: Sequence[UUID]
    ) -> list[UUID]:
        """List members of digests that have one of these statuses, in the order of their ids, after one of them."""
        return await digests.members(self._connection, of, statuses, after, limit)

    async def superseded(self, ids: Sequence[UUID]) -> set[UUID]:
        """Find those whose place a newer notification has taken."""
        return await digests.superseded(self._connection, ids)

    async def standings(self, ids: Sequence[UUID]) -> dict[UUID, Followed]:
        """Read where digests stand now, without locking them."""
        return await digests.standings(self._connection, ids)

    async def contents(self, ids: Sequence[UUID]) -> dict[UUID, tuple[int, list[dict[str, Any]]]]:
        """Count the members that digests have gathered, and read the data of the first of them."""
        return await digests.contents(self._connection, ids)

    async def fill(self, data: Mapping[UUID, Mapping[str, Any]]) -> None:
        """Write what is in digests."""
        await digests.fill(self._connection, data)

    async def save(self, changes: Sequence[Change], *, looked: bool = False) -> None:
        """Write what changed: versions + 1, deliveries, timeline; and when the sweep must look next."""
        written = sorted((change for change in changes if change.entries), key=lambda change: change.before.id.int)
        if written:
            await abandon(self._connection, written)
            await digests.bind(self._connection, written)
            await self._connection.execute(_SAVE, self._columns(written, looked=looked))
            await digests.part(self._connection, written)
        late = [c.before.id for c in written if is_resolved(c)]
        if late:
            await self._connection.execute(_RESOLVE, (Uuids(late),))
        rest = [change for change in changes if looked and not change.entries]
        if rest:
            rows = [(c.before.id, self._next_look(c.after, c.before.looks), c.before.looks + 1) for c in rest]
            await self._connection.execute(_TOUCH, transposed((Uuids, Times, Smallints), sorted(rows)))

    def _columns(self, changes: Sequence[Change], *, looked: bool) -> list[Column]:
        deliveries = [(change, delivery) for change in changes for delivery in change.touched()]
        return [
            *self._saga_columns(changes, looked=looked),
            *self._line_columns(changes),
            *delivery_columns(deliveries),
        ]

    def _saga_columns(self, changes: Sequence[Change], *, looked: bool) -> list[Column]:
        sagas = [change.after for change in changes]
        looks = [self._look(change, looked=looked) for change in changes]
        return [
            Uuids([saga.id for saga in sagas]),
            Texts([saga.status._value_ for saga in sagas]),
            Texts([saga.reason for saga in sagas]),
            Integers([saga.epoch for saga in sagas]),
            Times([saga.expires_at for saga in sagas]),
            Documents([plan_of(change) for change in changes]),
            Times([look for look, _ in looks]),
            Smallints([count for _, count in looks]),
            Texts([saga.cancelled_by for saga in sagas]),
        ]

    def _line_columns(self, changes: Sequence[Change]) -> list[Column]:
        lines = [[line_of(entry) for entry in change.entries] for change in changes]
        return [Uuids([change.after.id for change in changes]), Documents(lines)]

    def _look(self, change: Change, *, looked: bool) -> tuple[datetime | None, int]:
        before, after = change.before, change.after
        wanted = self._next_look(after)
        kept = before.next_look_at
        if wanted is None or kept is None or looked or not self.now < kept <= wanted:
            return wanted, 0
        return kept, before.looks  # an unchanged time keeps the row's index entry: a HOT update

    def _next_look(self, saga: Saga, looks: int = 0) -> datetime | None:
        return next_look(saga, self.now, looks, self._grace)


class Sagas:
    """The room of orchestrate, compensate, sweep and replay."""

    def __init__(self, database: Database, grace: timedelta = GRACE) -> None:
        self._database = database
        self._grace = grace
        self._known_versions = KnownVersions()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SagaSet]:
        """Open a transaction over a set of sagas.

        Raises:
            DatabaseUnavailable: something that passes; nothing was written, or the outcome is unknown.
        """
        async with self._database.transaction() as connection:
            yield SagaSet(connection, self._known_versions, self._grace)

    async def due(self, limit: int) -> list[UUID]:
        """List what must be looked at, oldest first, without locking or reading it."""
        rows = await self._database.fetch(
            "SELECT id FROM notifications WHERE next_look_at <= clock_timestamp() ORDER BY next_look_at LIMIT %b",
            (limit,),
        )
        return [row[0] for row in rows]

    async def late_successes(self, limit: int) -> list[LateSuccess]:
        """List the successes that must be announced since no saga knows them; each is due again in half a minute."""
        return await late_successes(self._database, limit)

    async def put_off(self, key: UUID) -> None:
        """Let the sweep look at one saga last: it could not be looked at now."""
        await self._database.run(
            "UPDATE notifications SET next_look_at = clock_timestamp() + %b * interval '1 second' WHERE id = %b",
            (LONGEST_LOOK_SECONDS, key),
        )

    async def hasten(self) -> int:
        """Let the sweep look soon at everything under way: the broker has lost what it held."""
        return await self._database.run(_HASTEN)
