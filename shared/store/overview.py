"""How a tenant is doing now, whatever it has behind it: every statement touches what is under way, or what is recent.

Reading by a range of time needs the bitmap scans that our connections are told not to use (docs/decisions/0008): so
these statements say in their own transaction that they may, and are planned for the moment at which they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from shared.store.breakers import Breaker, read_all
from shared.store.database import Connection, Database

MINUTES = 30
MOST_UNDER_WAY = 50_000
"""So many of what is under way are counted, the oldest first."""
MOST_LETTERS = 100_000
MOST_STUCK = 20
MOST_SUSPECTS = 5_000
"""So many of the oldest under way are looked at for what is stuck."""
STUCK_AFTER = "interval '2 minutes'"

SETTINGS = ("SET LOCAL enable_bitmapscan = on", "SET LOCAL plan_cache_mode = force_custom_plan")

ACCEPTED = """
SELECT date_trunc('minute', created_at), count(*) FROM notifications
WHERE tenant = %(tenant)s AND created_at >= %(since)s GROUP BY 1
"""
FAILED = """
SELECT date_trunc('minute', created_at), count(*) FROM dead_letters
WHERE tenant = %(tenant)s AND status IN ('open', 'replayed', 'resolved', 'discarded') AND created_at >= %(since)s
  AND kind = 'notification' GROUP BY 1
"""
ATTEMPTS = """
SELECT date_trunc('minute', ended_at), channel, provider, outcome, count(*) FROM attempts
WHERE tenant = %(tenant)s AND ended_at >= %(since)s AND NOT withheld GROUP BY 1, 2, 3, 4
"""
RECEIPTS = """
SELECT date_trunc('minute', created_at), channel, receipt, count(*) FROM receipts
WHERE tenant = %(tenant)s AND created_at >= %(since)s AND receipt IN ('delivered', 'failed') GROUP BY 1, 2, 3
"""
UNDER_WAY = """
SELECT status, count(*) FROM (
    SELECT status FROM notifications WHERE tenant = %(tenant)s AND next_look_at IS NOT NULL
    ORDER BY created_at LIMIT %(most_under_way)s
) n GROUP BY status
"""
OLDEST = """
SELECT id, status, created_at FROM (
    SELECT id, status, created_at FROM notifications WHERE tenant = %(tenant)s AND next_look_at IS NOT NULL
    ORDER BY created_at LIMIT %(most_under_way)s
) n WHERE status IN ('pending', 'queued', 'compensating') ORDER BY created_at LIMIT 1
"""
STUCK = f"""
SELECT n.id, n.user_id, n.event_type, n.status, n.reason, n.created_at,
       EXTRACT(EPOCH FROM clock_timestamp() - GREATEST(n.updated_at, o.since))::float8
FROM (
    SELECT id, user_id, event_type, status, reason, epoch, created_at, updated_at, next_look_at FROM notifications
    WHERE tenant = %(tenant)s AND next_look_at IS NOT NULL AND created_at < clock_timestamp() - {STUCK_AFTER}
    ORDER BY created_at LIMIT %(most_suspects)s
) n, LATERAL (
    SELECT CASE n.status
        WHEN 'pending' THEN n.updated_at
        WHEN 'compensating' THEN n.updated_at
        WHEN 'scheduled' THEN n.next_look_at
        ELSE (
            SELECT min(GREATEST(d.updated_at, CASE d.status
                WHEN 'sending' THEN CASE WHEN d.outcome IS NULL THEN d.lease_until END
                WHEN 'sent' THEN d.deadline
                ELSE d.due_at END))
            FROM deliveries d
            WHERE d.notification_id = n.id AND d.tenant = %(tenant)s AND d.epoch = n.epoch
              AND (d.status IN ('queued', 'retrying', 'deferred', 'sending')
                   OR (d.status = 'sent' AND d.deadline IS NOT NULL)))
        END AS since
) o
WHERE GREATEST(n.updated_at, o.since) < clock_timestamp() - {STUCK_AFTER} AND o.since IS NOT NULL
ORDER BY n.created_at LIMIT %(most_stuck)s
"""  # noqa: S608 - a constant of ours
"""Since when something is owed (`shared/saga/owed.py`) that nobody has brought; a test holds the two together."""

LETTERS = """
SELECT count(*) FROM (
    SELECT FROM dead_letters WHERE tenant = %(tenant)s AND status = 'open' LIMIT %(most_letters)s
) l
"""
STATEMENTS = {
    "accepted": ACCEPTED,
    "failed": FAILED,
    "attempts": ATTEMPTS,
    "receipts": RECEIPTS,
    "under_way": UNDER_WAY,
    "oldest": OLDEST,
    "stuck": STUCK,
    "letters": LETTERS,
}
LIMITS = {
    "most_under_way": MOST_UNDER_WAY,
    "most_suspects": MOST_SUSPECTS,
    "most_stuck": MOST_STUCK,
    "most_letters": MOST_LETTERS,
}

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """What is owed a step, and has been for a while."""

    id: UUID
    user_id: str
    event_type: str
    status: str
    reason: str
    created_at: datetime
    waiting_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a tenant. Rows by the minute begin at `since`."""

    now: datetime
    since: datetime
    rows: Mapping[str, Rows]
    stuck: Sequence[Stuck]
    breakers: Mapping[str, Breaker]


class Overview:
    """The room of operators who want to know how it is going."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, tenant: str, known_until: datetime | None = None) -> Look:
        """Look at a tenant; minutes before `known_until` are not asked for again."""
        async with self._database.transaction() as connection:
            for setting in SETTINGS:
                await connection.execute(setting)
            ((now,),) = await _rows(connection, "SELECT clock_timestamp()", {})
            first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
            since = max(first, known_until or first)
            values = {"tenant": tenant, "since": since, **LIMITS}
            rows = {name: await _rows(connection, sql, values) for name, sql in STATEMENTS.items()}
            breakers = await read_all(connection, tenant)
        stuck = [
            Stuck(
                id=row[0],
                user_id=row[1],
                event_type=row[2],
                status=row[3],
                reason=row[4],
                created_at=row[5],
                waiting_seconds=row[6],
            )
            for row in rows["stuck"]
        ]
        return Look(now=now, since=since, rows=rows, stuck=stuck, breakers=breakers)


async def _rows(connection: Connection, statement: str, values: Mapping[str, Any]) -> Rows:
    return await (await connection.execute(statement, values)).fetchall()
