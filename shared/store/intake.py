"""Keep what was accepted: one statement for a set of notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.store.columns import Bytes, Column, Documents, Texts, Times, Uuids
from shared.store.database import Database


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


class Kept(StrEnum):
    """What came of keeping one notification."""

    NEW = "new"
    KNOWN = "known"  # the same event was accepted before
    CONFLICT = "conflict"  # the same id or key, another body


_INSERT = f"""
INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, preferred, event_time,
                           correlation_id, traceparent, collapse_key, status, has_own_expiry, expires_at, next_look_at)
SELECT n.id, n.tenant, n.user_id, n.event_type, n.source, n.body_hash, n.data, n.preferred, n.event_time,
       n.correlation_id, n.traceparent, n.collapse_key, 'pending', n.expires_at IS NOT NULL,
       LEAST(COALESCE(n.expires_at, clock_timestamp() + interval '24 hours'), clock_timestamp() + interval '7 days'),
       clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::jsonb[], %b::text[],
            %b::timestamptz[], %b::text[], %b::text[], %b::timestamptz[], %b::text[])
    AS n(id, tenant, user_id, event_type, source, body_hash, data, preferred, event_time, correlation_id, traceparent,
         expires_at, collapse_key)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""  # noqa: S608 - a constant of ours


class Intake:
    """The room of `ingest`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
        """Insert a set, sorted by id so that sets cannot deadlock; return for each whether it is new."""
        by_id: dict[UUID, NewNotification] = {}
        for notification in notifications:
            by_id.setdefault(notification.id, notification)
        rows = sorted(by_id.values(), key=lambda row: row.id.int)
        async with self._database.connection() as connection:
            inserted = {row[0] for row in await (await connection.execute(_INSERT, _columns(rows))).fetchall()}
            missing = [row.id for row in rows if row.id not in inserted]
            known = {}
            if missing:
                query = "SELECT id, body_hash, status FROM notifications WHERE id = ANY(%b)"
                found = await (await connection.execute(query, (Uuids(missing),))).fetchall()
                known = {row[0]: (row[1], row[2]) for row in found}
        return [self._judge(notification, by_id[notification.id], known) for notification in notifications]

    @staticmethod
    def _judge(
        asked: NewNotification, inserted: NewNotification, known: dict[UUID, tuple[bytes, str]]
    ) -> tuple[Kept, str]:
        body_hash, status = known.get(asked.id, (inserted.body_hash, "pending"))
        if bytes(body_hash) != asked.body_hash:
            return Kept.CONFLICT, status
        return (Kept.NEW if asked.id not in known and asked is inserted else Kept.KNOWN), status


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
    ]
