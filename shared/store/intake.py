"""Keep what was accepted: one statement for a set of notifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.saga.owed import FIRST_LOOK_SECONDS
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


class Kept(StrEnum):
    """What came of keeping one notification."""

    NEW = "new"
    KNOWN = "known"  # the same event was accepted before
    CONFLICT = "conflict"  # the same id or key, another body


_INSERT = f"""
INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, preferred, event_time,
                           correlation_id, traceparent, status, expires_at, next_look_at)
SELECT n.*, 'pending', clock_timestamp() + interval '24 hours',
       clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::jsonb[], %b::text[],
            %b::timestamptz[], %b::text[], %b::text[]) AS n
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
                known = {
                    row[0]: (row[1], row[2]) for row in await (await connection.execute(query, (missing,))).fetchall()
                }
        return [self._judge(notification, by_id[notification.id], known) for notification in notifications]

    @staticmethod
    def _judge(
        asked: NewNotification, inserted: NewNotification, known: dict[UUID, tuple[bytes, str]]
    ) -> tuple[Kept, str]:
        body_hash, status = known.get(asked.id, (inserted.body_hash, "pending"))
        if bytes(body_hash) != asked.body_hash:
            return Kept.CONFLICT, status
        return (Kept.NEW if asked.id not in known and asked is inserted else Kept.KNOWN), status


def _columns(rows: Sequence[NewNotification]) -> list[list[Any]]:
    return [
        [row.id for row in rows],
        [row.tenant for row in rows],
        [row.user_id for row in rows],
        [row.event_type for row in rows],
        [row.source for row in rows],
        [row.body_hash for row in rows],
        [Jsonb(row.data) for row in rows],
        [row.preferred for row in rows],
        [row.event_time for row in rows],
        [row.correlation_id for row in rows],
        [row.traceparent for row in rows],
    ]
