"""One event for many users: kept whole in one row, then expanded a bounded set at a time.

A set's notifications and the progress of the row are one transaction, and the notifications' ids come from the event
and the user. So a repetition finds what is there, and a crash after any line neither loses nor doubles anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.saga.owed import FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS
from shared.store.columns import Texts
from shared.store.database import Database
from shared.store.intake import Kept, NewNotification, keep

USERS_AT_ONCE = 500
"""So many users one transaction expands an event for; so many are in memory at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFanOut:
    """One event for many users, ready to be kept. With `rival` there as a notification, its key was used before."""

    id: UUID
    tenant: str
    event_type: str
    body_hash: bytes
    event: str = field(repr=False)
    user_ids: tuple[str, ...] = field(repr=False)
    traceparent: str | None = None
    rival: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """What one set of an event for many users came to: `ids` wait to be routed, `new` of its notifications were made by
    this call. `next_position` is owed, if any.
    """

    tenant: str
    traceparent: str | None
    ids: tuple[UUID, ...]
    new: int
    next_position: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutOwed:
    """One event for many users that nobody goes on with."""

    id: UUID
    tenant: str
    traceparent: str | None
    position: int


MakeRows = Callable[[str, tuple[str, ...]], list[NewNotification]]

_INSERT = f"""
INSERT INTO fan_outs (id, tenant, event_type, body_hash, event, user_ids, total, traceparent, next_look_at)
SELECT %b, %b, %b, %b, %b, u.ids, cardinality(u.ids), %b, clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM (SELECT %b::text[] AS ids) u
WHERE NOT EXISTS (SELECT FROM notifications n WHERE n.id = %b)
ON CONFLICT (id) DO NOTHING RETURNING 0
"""  # noqa: S608 - a constant of ours
_KNOWN = "SELECT body_hash, expanded FROM fan_outs WHERE id = %b AND tenant = %b"
_LOCK = """
SELECT tenant, traceparent, event, expanded, total, user_ids[%b + 1 : %b + %b] FROM fan_outs WHERE id = %b FOR UPDATE
"""
_ADVANCE = f"""
UPDATE fan_outs
SET expanded = expanded + %b, conflicting = conflicting + %b, looks = 0,
    next_look_at = CASE WHEN expanded + %b < total THEN clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds' END,
    completed_at = CASE WHEN expanded + %b >= total THEN clock_timestamp() END
WHERE id = %b
"""  # noqa: S608 - a constant of ours
_DUE = f"""
UPDATE fan_outs f
SET looks = f.looks + 1, next_look_at = clock_timestamp()
    + interval '1 second' * LEAST({FIRST_LOOK_SECONDS} * 2 ^ f.looks, {LONGEST_LOOK_SECONDS})
FROM (SELECT id FROM fan_outs WHERE next_look_at <= clock_timestamp() ORDER BY next_look_at LIMIT %b
      FOR UPDATE SKIP LOCKED) d
WHERE f.id = d.id RETURNING f.id, f.tenant, f.traceparent, f.expanded
"""  # noqa: S608 - constants of ours
_HASTEN = """
UPDATE fan_outs SET looks = 0, next_look_at = clock_timestamp() + random() * interval '10 seconds'
WHERE id IN (
    SELECT id FROM fan_outs WHERE next_look_at > clock_timestamp() + interval '10 seconds'
    ORDER BY id FOR UPDATE SKIP LOCKED  -- whoever holds a row publishes what it is owed
)
"""
_SHOW = """
SELECT event_type, total, expanded, conflicting, created_at, completed_at FROM fan_outs WHERE tenant = %b AND id = %b
"""


class FanOuts:
    """The room of events for many users."""

    users_at_once = USERS_AT_ONCE

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, new: NewFanOut) -> tuple[Kept, int]:
        """Keep one; return whether it is new, and for how many users it is expanded."""
        head = (new.id, new.tenant, new.event_type, new.body_hash, new.event)
        async with self._database.connection() as connection:
            values = (*head, new.traceparent, Texts(new.user_ids), new.rival)
            if await (await connection.execute(_INSERT, values)).fetchall():
                return Kept.NEW, 0
            rows = await (await connection.execute(_KNOWN, (new.id, new.tenant))).fetchall()
        if not rows or bytes(rows[0][0]) != new.body_hash:
            return Kept.CONFLICT, 0
        return Kept.KNOWN, rows[0][1]

    async def expand(self, key: UUID, position: int, make_rows: MakeRows) -> Expanded | None:
        """Make the notifications of the next users, from a position on; None when there is nothing of the kind.

        From a position that was passed already, it finds what was made then, and moves nothing.
        """
        async with self._database.transaction() as connection:
            values = (position, position, self.users_at_once, key)
            rows = await (await connection.execute(_LOCK, values)).fetchall()
            if not rows or position > rows[0][3] or not rows[0][5]:
                return None
            tenant, traceparent, event, expanded, total, users = rows[0]
            made = make_rows(event, tuple(users))
            kept = await keep(connection, made)
            if position == expanded:
                count, conflicts = len(users), count_of(kept, Kept.CONFLICT)
                await connection.execute(_ADVANCE, (count, conflicts, count, count, key))
                expanded += count
        return Expanded(
            tenant=tenant,
            traceparent=traceparent,
            ids=waiting(made, kept),
            new=count_of(kept, Kept.NEW),
            next_position=owed_after(position, len(users), expanded, total),
        )

    async def due(self, limit: int) -> list[FanOutOwed]:
        """List those that nobody goes on with, oldest first; each is due again later."""
        rows = await self._database.fetch(_DUE, (limit,))
        return [FanOutOwed(id=row[0], tenant=row[1], traceparent=row[2], position=row[3]) for row in rows]

    async def hasten(self) -> int:
        """Let the sweep look soon at all that are not expanded: the broker has lost what it held."""
        return await self._database.run(_HASTEN)

    async def document(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Show how far one is; None when the tenant has none of that id."""
        rows = await self._database.fetch(_SHOW, (tenant, key))
        names = ("event_type", "total", "expanded", "conflicting", "created_at", "completed_at")
        return document_of(key, dict(zip(names, rows[0], strict=True))) if rows else None


def count_of(kept: Sequence[tuple[Kept, str]], wanted: Kept) -> int:
    """Count what came of keeping a set."""
    return sum(1 for word, _ in kept if word is wanted)


def waiting(made: Sequence[NewNotification], kept: Sequence[tuple[Kept, str]]) -> tuple[UUID, ...]:
    """List the notifications that wait to be routed."""
    return tuple(row.id for row, (_, status) in zip(made, kept, strict=True) if status == "pending")


def owed_after(position: int, count: int, expanded: int, total: int) -> int | None:
    """Say from which position the next set is owed; None at the end, or where somebody was before us."""
    return expanded if position + count == expanded < total else None


def document_of(key: UUID, row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row as people see it."""
    moments = {name: _moment(row[name]) for name in ("created_at", "completed_at")}
    status = "expanded" if row["expanded"] == row["total"] else "expanding"
    return {"fan_out_id": str(key), "status": status, **row, **moments}


def _moment(value: datetime | None) -> str | None:
    return value.isoformat(timespec="milliseconds") if value else None
