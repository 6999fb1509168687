"""The inbox of a person: what WebSocket delivery writes, and what a client resumes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.store.columns import Documents, Integers, Texts, Uuids
from shared.store.database import Connection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One message in an inbox. `cursor` grows with every commit of that user: what is committed later is higher."""

    cursor: int
    notification_id: UUID
    epoch: int
    content: dict[str, Any] = field(repr=False)
    created_at: datetime
    acknowledged_at: datetime | None = None
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A message to be put into an inbox."""

    tenant: str
    user_id: str
    notification_id: UUID
    epoch: int
    content: dict[str, Any] = field(repr=False)


_PUT = """
WITH new AS (
    SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::int[], %b::jsonb[])
        AS n(tenant, user_id, notification_id, epoch, content)
    WHERE NOT EXISTS (SELECT FROM inbox i WHERE i.notification_id = n.notification_id AND i.epoch = n.epoch)
), moved AS (
    INSERT INTO inbox_cursors AS c (tenant, user_id, last)
    SELECT tenant, user_id, count(*) FROM new GROUP BY tenant, user_id ORDER BY tenant, user_id
    ON CONFLICT (tenant, user_id) DO UPDATE SET last = c.last + EXCLUDED.last
    RETURNING tenant, user_id, last
)
INSERT INTO inbox (tenant, user_id, cursor, notification_id, epoch, content)
SELECT tenant, user_id,
       moved.last - count(*) OVER of_user + row_number() OVER (of_user ORDER BY notification_id),
       notification_id, epoch, content
FROM new JOIN moved USING (tenant, user_id) WINDOW of_user AS (PARTITION BY tenant, user_id)
ON CONFLICT (notification_id, epoch) DO NOTHING
"""
_SINCE = """
SELECT cursor, notification_id, epoch, content, created_at, acknowledged_at, read_at FROM inbox
WHERE tenant = %s AND user_id = %s AND cursor > %s AND retracted_at IS NULL ORDER BY cursor LIMIT %s
"""
_LAST = "SELECT last FROM inbox_cursors WHERE tenant = %s AND user_id = %s"
_ACKNOWLEDGE = """
WITH acknowledged AS (
    UPDATE inbox SET acknowledged_at = COALESCE(acknowledged_at, clock_timestamp())
    WHERE tenant = %b AND user_id = %b AND notification_id = ANY(%b::uuid[])
    RETURNING tenant, notification_id, epoch
), kept AS (
    INSERT INTO receipts (notification_id, channel, epoch, receipt, tenant, reason)
    SELECT notification_id, 'websocket', epoch, 'delivered', tenant, 'the person''s client acknowledged it'
    FROM acknowledged ON CONFLICT DO NOTHING RETURNING notification_id, epoch
)
UPDATE notifications n SET looks = 0, next_look_at = clock_timestamp() + interval '15 seconds'
FROM kept WHERE n.id = kept.notification_id RETURNING n.id, kept.epoch
"""
_RETRACT = """
UPDATE inbox SET retracted_at = clock_timestamp()
WHERE notification_id = ANY(%b) AND retracted_at IS NULL RETURNING notification_id
"""


class Inbox:
    """The room of push_ws and realtime."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, items: Sequence[NewItem]) -> None:
        """Put a set of messages into inboxes; one that is there already is left alone."""
        first: dict[tuple[UUID, int], NewItem] = {}
        for item in items:
            first.setdefault((item.notification_id, item.epoch), item)
        rows = list(first.values())
        columns = [
            Texts([row.tenant for row in rows]),
            Texts([row.user_id for row in rows]),
            Uuids([row.notification_id for row in rows]),
            Integers([row.epoch for row in rows]),
            Documents([row.content for row in rows]),
        ]
        await self._database.run(_PUT, columns)

    async def since(self, tenant: str, user_id: str, cursor: int, limit: int = 100) -> list[Item]:
        """Read what a user got after a cursor, oldest first."""
        rows = await self._database.fetch(_SINCE, (tenant, user_id, cursor, limit))
        return [
            Item(
                cursor=row[0],
                notification_id=row[1],
                epoch=row[2],
                content=row[3],
                created_at=row[4],
                acknowledged_at=row[5],
                read_at=row[6],
            )
            for row in rows
        ]

    async def last(self, tenant: str, user_id: str) -> int:
        """Read the highest cursor of a user; 0 when there is none."""
        rows = await self._database.fetch(_LAST, (tenant, user_id))
        return int(rows[0][0]) if rows else 0

    async def acknowledge(self, tenant: str, user_id: str, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
        """Note that a client has them, as receipts; return (notification, epoch) of those that are new.

        The saga hears of it by an event; if that is lost, by the sweep, which looks 15 s later.
        """
        rows = await self._database.fetch(_ACKNOWLEDGE, (tenant, user_id, Uuids(ids)))
        return [(row[0], row[1]) for row in rows]


async def retract(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Take messages out of inboxes, inside a transaction; return those that were there."""
    rows = await (await connection.execute(_RETRACT, (Uuids(ids),))).fetchall()
    return {row[0] for row in rows}
