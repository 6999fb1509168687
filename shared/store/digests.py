"""Digests: who joins which window, what its members are, and when the sweep must look at it.

Rows of digests are locked after notifications, and nobody waits for a notification while holding one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.digests import MOST_EVENTS, digest_id
from shared.saga import Followed
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import TERMINAL, NotificationStatus
from shared.store.changes import Change
from shared.store.columns import Documents, Integers, Texts, Times, Uuids, transposed
from shared.store.database import Connection, Database

LIFETIME = timedelta(hours=24)
"""So long after its window has closed a digest is of use, unless its workflow says otherwise."""

LARGEST_EVENT_BYTES = 4_000
"""Of a larger event only the beginning of its message comes into the digest."""

BEGINNING_CHARACTERS = 500


class Phase(StrEnum):
    """Where a digest stands, beside the status of the notification that carries it."""

    COLLECTING = "collecting"  # its window is open
    GATHERING = "gathering"  # its window has closed; its members are being bound to it
    CLOSED = "closed"  # it is on its way, or has ended; when it ends, its members are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """A notification that wants to be collected, and when the window closes that it would open."""

    notification_id: UUID
    tenant: str
    user_id: str
    event_type: str
    key: UUID
    closes_at: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The open window that a notification has joined."""

    digest_id: UUID
    closes_at: datetime

    @property
    def kept_until(self) -> datetime:
        """Say until when what is collected is of use."""
        return self.closes_at + LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDigest:
    """A digest to be looked at. It is looked at again at `looked_at`, unless it is done by then."""

    id: UUID
    phase: Phase
    joined: int
    looked_at: datetime


_JOIN = """
INSERT INTO digests AS d (id, tenant, key, joined, next_look_at)
SELECT CASE WHEN EXISTS (SELECT FROM digests o WHERE o.id = n.id) THEN gen_random_uuid() ELSE n.id END, n.tenant, n.key,
       n.joined, n.closes_at
FROM unnest(%b::uuid[], %b::text[], %b::uuid[], %b::int[], %b::timestamptz[]) AS n(id, tenant, key, joined, closes_at)
ON CONFLICT (key) WHERE phase = 'collecting' DO UPDATE SET joined = d.joined + EXCLUDED.joined
RETURNING d.key, d.id, d.next_look_at, d.xmax = 0
"""
"""An event that retention has deleted can be posted anew while the digest that it had opened is still there. A row that
was there before has an `xmax`: it was locked to be changed.
"""
_OPEN = """
INSERT INTO notifications (id, tenant, user_id, event_type, traceparent, send_at, expires_at, source, body_hash, data,
                           status, is_digest)
SELECT n.*, 'digest', '', '{}', 'scheduled', true
FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[]) AS n
"""
_BIND = """
UPDATE notifications n SET digest_id = b.digest_id
FROM unnest(%b::uuid[], %b::uuid[]) AS b(id, digest_id) WHERE n.id = b.id
"""
_WAKE = """
UPDATE digests SET phase = 'closed', next_look_at = clock_timestamp() WHERE id = ANY(%b)
"""
_MEMBERS = """
SELECT m.id FROM unnest(%b::uuid[]) AS d(id) CROSS JOIN LATERAL (
    SELECT n.id FROM notifications n
    WHERE n.digest_id = d.id AND n.id > %b AND n.status = ANY(%b) ORDER BY n.id LIMIT %b
) AS m ORDER BY m.id LIMIT %b
"""
_SUPERSEDED = """
SELECT n.id FROM notifications n WHERE n.id = ANY(%b) AND n.collapse_key IS NOT NULL AND EXISTS (
    SELECT FROM notifications m WHERE m.tenant = n.tenant AND m.user_id = n.user_id
    AND m.collapse_key = n.collapse_key AND m.created_at > n.created_at)
"""
_STANDINGS = "SELECT id, status, reason FROM notifications WHERE id = ANY(%b)"
_CONTENTS = f"""
SELECT d.id, (SELECT count(*)::int FROM notifications m WHERE m.digest_id = d.id AND m.status = 'queued'), (
    SELECT jsonb_agg(CASE
        WHEN octet_length((f.data - 'options')::text) <= {LARGEST_EVENT_BYTES} THEN f.data - 'options'
        ELSE jsonb_build_object('message', left(f.data->>'message', {BEGINNING_CHARACTERS})) END)
    FROM (SELECT m.data FROM notifications m WHERE m.digest_id = d.id AND m.status = 'queued'
          ORDER BY m.created_at, m.id LIMIT {MOST_EVENTS}) AS f)
FROM unnest(%b::uuid[]) AS d(id)
"""  # noqa: S608 - constants of ours
_FILL = """
UPDATE notifications n SET data = f.data FROM unnest(%b::uuid[], %b::jsonb[]) AS f(id, data) WHERE n.id = f.id
"""
_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM digests WHERE next_look_at <= clock_timestamp()
    ORDER BY next_look_at LIMIT %b FOR UPDATE SKIP LOCKED
)
UPDATE digests d
SET phase = CASE d.phase WHEN 'collecting' THEN 'gathering' ELSE d.phase END,
    next_look_at = clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM due WHERE d.id = due.id
RETURNING d.id, d.phase, d.joined, d.next_look_at
"""  # noqa: S608 - a constant of ours
_SETTLE = """
UPDATE digests d
SET phase = CASE WHEN s.is_done THEN 'closed' ELSE d.phase END,
    next_look_at = CASE WHEN s.is_done THEN NULL ELSE clock_timestamp() END
FROM (SELECT u.*, %b::bool AS is_done FROM unnest(%b::uuid[], %b::timestamptz[]) AS u(id, looked_at)) AS s
WHERE d.id = s.id AND d.next_look_at = s.looked_at
"""


def first_of_each(joining: Sequence[Joining]) -> dict[UUID, Joining]:
    """Find for each key who opens its window, if there is none."""
    first: dict[UUID, Joining] = {}
    for one in joining:
        first.setdefault(one.key, one)
    return dict(sorted(first.items()))


async def join(connection: Connection, joining: Sequence[Joining]) -> dict[UUID, Window]:
    """Add notifications to the open windows of their keys, and open those that there are not; by notification.

    Until the transaction ends nobody can close a window that was joined here.
    """
    first = first_of_each(joining)
    counts = Counter(one.key for one in joining)
    rows = [
        (digest_id(key, one.notification_id), one.tenant, key, counts[key], one.closes_at) for key, one in first.items()
    ]
    found = await connection.execute(_JOIN, transposed((Uuids, Texts, Uuids, Integers, Times), rows))
    found_rows = await found.fetchall()
    windows = {key: Window(given, closes_at) for key, given, closes_at, _ in found_rows}
    opened = {key for key, *_, is_new in found_rows if is_new}
    fresh = [
        (
            (w := windows[key]).digest_id,
            one.tenant,
            one.user_id,
            one.event_type,
            one.traceparent,
            w.closes_at,
            w.kept_until,
        )
        for key, one in first.items()
        if key in opened
    ]
    if fresh:
        await connection.execute(_OPEN, transposed((Uuids, Texts, Texts, Texts, Texts, Times, Times), fresh))
    return {one.notification_id: windows[one.key] for one in joining}


async def bind(connection: Connection, changes: Sequence[Change]) -> None:
    """Write whose digest notifications have become part of; before their status, for which it counts."""
    rows = [(c.before.id, c.after.digest_id) for c in changes if c.after.digest_id and not c.before.digest_id]
    if rows:
        await connection.execute(_BIND, transposed((Uuids, Uuids), rows))


async def part(connection: Connection, changes: Sequence[Change]) -> None:
    """Take out of their digests what has dropped out, and let the sweep tell the members of those that have ended."""
    out = [(c.before.id, None) for c in changes if c.before.digest_id and not c.after.digest_id]
    if out:
        await connection.execute(_BIND, transposed((Uuids, Uuids), out))
    ended = [change.before.id for change in changes if has_ended(change)]
    if ended:
        await connection.execute(_WAKE, (Uuids(ended),))


def has_ended(change: Change) -> bool:
    """Tell whether a digest has come to an end, or to another one."""
    before, after = change.before, change.after
    return before.is_digest and after.status is not before.status and after.status in TERMINAL


async def members(
    connection: Connection, digests: Sequence[UUID], statuses: Sequence[NotificationStatus], after: UUID, limit: int
) -> list[UUID]:
    """List members of digests in the order of their ids, after one of them."""
    wanted = Texts([status.value for status in statuses])
    rows = await connection.execute(_MEMBERS, (Uuids(digests), after, wanted, limit, limit))
    return [row[0] for row in await rows.fetchall()]


async def superseded(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Find those whose place a newer notification has taken."""
    return {row[0] for row in await (await connection.execute(_SUPERSEDED, (Uuids(ids),))).fetchall()}


async def standings(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Followed]:
    """Read where digests stand now."""
    rows = await (await connection.execute(_STANDINGS, (Uuids(ids),))).fetchall()
    return {row[0]: Followed(NotificationStatus(row[1]), row[2]) for row in rows}


async def contents(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, tuple[int, list[dict[str, Any]]]]:
    """Count the members that digests have gathered, and read the data of the first of them."""
    rows = await (await connection.execute(_CONTENTS, (Uuids(ids),))).fetchall()
    return {row[0]: (row[1], row[2] or []) for row in rows}


async def fill(connection: Connection, data: Mapping[UUID, Mapping[str, Any]]) -> None:
    """Write what is in digests, once and for all."""
    await connection.execute(_FILL, transposed((Uuids, Documents), list(data.items())))


class Digests:
    """The room of the sweep, for digests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, limit: int) -> list[DueDigest]:
        """List the digests that must be looked at. A window that is listed is closed; each is due again soon."""
        return [
            DueDigest(id=row[0], phase=Phase(row[1]), joined=row[2], looked_at=row[3])
            for row in await self._database.fetch(_DUE, (limit,))
        ]

    async def settle(self, digests: Sequence[DueDigest], *, is_done: bool) -> None:
        """Look at digests no more, or once more at once. One that has ended meanwhile stays due."""
        rows = sorted((one.id, one.looked_at) for one in digests)
        await self._database.run(_SETTLE, (is_done, *transposed((Uuids, Times), rows)))
