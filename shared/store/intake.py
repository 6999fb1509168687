"""Keep what was accepted: one statement for a set of notifications."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.quick import quick
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.store.columns import Bytes, Column, Documents, Texts, Times, Uuids
from shared.store.database import Connection, Database
from shared.store.recipients import Recipient, make


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification:
    """One event for one user, ready to be kept."""

    id: UUID
    tenant: str
    user_id: str
    event_type: str
    source: str
    body_hash: bytes
    data: dict[str, Any] = field(repr=False)
    preferred: str | None = None
    event_time: datetime | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    expires_at: datetime | None = None
    collapse_key: str | None = None
    send_at: datetime | None = None
    wishes: Mapping[str, str] | None = None
    recipient: Recipient | None = None


class Kept(StrEnum):
    """What came of keeping one notification."""

    NEW = "new"
    KNOWN = "known"  # the same event was accepted before
    CONFLICT = "conflict"  # the same id or key, another body


FIRST_LOOKS_SECONDS = {"high": 10, "low": 60}
"""When the sweep looks for what was not routed meanwhile, by priority; it takes the oldest look first."""

_INSERT = f"""
INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, preferred, event_time,
                           correlation_id, traceparent, collapse_key, send_at, wishes, status, has_own_expiry,
                           expires_at, next_look_at)
SELECT n.id, n.tenant, n.user_id, n.event_type, n.source, n.body_hash, n.data, n.preferred, n.event_time,
       n.correlation_id, n.traceparent, n.collapse_key, n.send_at, n.wishes,
       CASE WHEN n.send_at > clock_timestamp() THEN 'scheduled' ELSE 'pending' END, n.expires_at IS NOT NULL,
       LEAST(COALESCE(n.expires_at, GREATEST(n.send_at, clock_timestamp()) + interval '24 hours'),
             GREATEST(n.send_at, clock_timestamp()) + interval '7 days'),
       CASE WHEN n.send_at > clock_timestamp() THEN n.send_at
            ELSE clock_timestamp() + interval '1 second' * CASE n.wishes->>'priority'
                WHEN 'high' THEN {FIRST_LOOKS_SECONDS["high"]} WHEN 'low' THEN {FIRST_LOOKS_SECONDS["low"]}
                ELSE {FIRST_LOOK_SECONDS} END END
FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::jsonb[], %b::text[],
            %b::timestamptz[], %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::timestamptz[], %b::jsonb[])
    AS n(id, tenant, user_id, event_type, source, body_hash, data, preferred, event_time, correlation_id, traceparent,
         expires_at, collapse_key, send_at, wishes)
ON CONFLICT (id) DO NOTHING
RETURNING id, status
"""  # noqa: S608 - constants of ours
_KNOWN = "SELECT id, body_hash, status FROM notifications WHERE id = ANY(%b)"


class Intake:
    """The room of `ingest`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
        """Insert a set; return for each whether it is new, and its status."""
        if any(row.recipient for row in notifications):
            async with self._database.transaction() as connection:
                return await keep(connection, notifications)
        async with self._database.connection() as connection:
            return await keep(connection, notifications)


async def keep(connection: Connection, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
    """Insert a set over a connection, sorted by id so that sets cannot deadlock, and the users that it needs made."""
    by_id: dict[UUID, NewNotification] = {}
    for notification in notifications:
        by_id.setdefault(notification.id, notification)
    rows = sorted(by_id.values(), key=lambda row: row.id.int)
    made = [(row.tenant, row.user_id, row.recipient) for row in rows if row.recipient]
    if made:
        await make(connection, made)
    inserted = {row[0]: row[1] for row in await (await connection.execute(_INSERT, _columns(rows))).fetchall()}
    missing = [row.id for row in rows if row.id not in inserted]
    known = {}
    if missing:
        found = await (await connection.execute(_KNOWN, (Uuids(missing),))).fetchall()
        known = {row[0]: (row[1], row[2]) for row in found}
    return [_judge(asked, by_id[asked.id], inserted, known) for asked in notifications]


def _judge(
    asked: NewNotification,
    first: NewNotification,
    inserted: Mapping[UUID, str],
    known: Mapping[UUID, tuple[bytes, str]],
) -> tuple[Kept, str]:
    body_hash, status = known[asked.id] if asked.id in known else (first.body_hash, inserted[asked.id])
    if bytes(body_hash) != asked.body_hash:
        return Kept.CONFLICT, status
    return (Kept.NEW if asked.id in inserted and asked is first else Kept.KNOWN), status


def _columns(rows: Sequence[NewNotification]) -> list[Column]:
    return [
        Uuids([row.id for row in rows]),
        Texts([row.tenant for row in rows]),
        Texts([row.user_id for row in rows]),
        Texts([row.event_type for row in rows]),
        Texts([row.source for row in rows]),
        Bytes([row.body_hash for row in rows]),
        Documents([row.data for row in rows]),
        Texts([row.preferred for row in rows]),
        Times([row.event_time for row in rows]),
        Texts([row.correlation_id for row in rows]),
        Texts([row.traceparent for row in rows]),
        Times([row.expires_at for row in rows]),
        Texts([row.collapse_key for row in rows]),
        Times([row.send_at for row in rows]),
        Documents([row.wishes for row in rows]),
    ]
