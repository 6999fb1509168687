"""Lists of notifications, the newest first, a page at a time.

However many there are, a page looks at no more than `MOST_LOOKED_AT` rows of one index. Where a filter has no index of
its own (a status, a channel, an event type), a page may therefore hold fewer than were asked for, or none, and still
have a next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.statuses import Channel, NotificationStatus
from shared.store.columns import Uuids
from shared.store.database import Database

MOST_LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which notifications; what is None is not asked about. `created_before` is exclusive."""

    user_id: str | None = None
    correlation_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    status: NotificationStatus | None = None
    event_type: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: after this row, in the order of the list."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of the list."""

    id: UUID
    user_id: str
    event_type: str
    status: str
    reason: str
    correlation_id: str | None
    epoch: int
    created_at: datetime
    updated_at: datetime
    deliveries: tuple[tuple[str, str], ...] = ()
    """Channel and status of each, in the order of their turns."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list, and where the next one begins; None where there is none."""

    found: list[Listed]
    following: Place | None


_NARROW = {
    "user_id": "n.user_id = %(user_id)s",
    "correlation_id": "n.correlation_id = %(correlation_id)s",
    "created_after": "n.created_at >= %(created_after)s",
    "created_before": "n.created_at < %(created_before)s",
}
"""What an index answers."""

_SIEVE = {
    "status": "c.status = %(status)s",
    "event_type": "c.event_type = %(event_type)s",
    "channel": """EXISTS (SELECT FROM deliveries d WHERE d.notification_id = c.id AND d.tenant = c.tenant
                          AND d.channel = %(channel)s)""",
}
"""What is asked of the rows that were found."""

_AFTER = "(n.created_at, n.id) < (%(place_time)s, %(place_id)s)"
_CANDIDATES = """
SELECT n.id, n.tenant, n.user_id, n.event_type, n.status, n.reason, n.correlation_id, n.epoch, n.created_at,
       n.updated_at
FROM notifications n WHERE n.tenant = %(tenant)s {narrow}
ORDER BY n.created_at DESC, n.id DESC {part}
"""
_PAGE = f"""
SELECT c.* FROM ({_CANDIDATES}) c {{sieve}} ORDER BY c.created_at DESC, c.id DESC LIMIT %(limit)s
"""  # noqa: S608 - written of constants of ours
_DELIVERIES = """
SELECT notification_id, channel, status FROM deliveries
WHERE tenant = %s AND notification_id = ANY(%s) ORDER BY notification_id, position, channel
"""


class Listing:
    """The room of everybody who looks for notifications."""

    def __init__(self, database: Database, *, most_looked_at: int = MOST_LOOKED_AT) -> None:
        self._database = database
        self._most = most_looked_at

    async def page(self, tenant: str, asked: Filter, *, after: Place | None = None, limit: int = 50) -> Page:
        """Read one page, the newest first. What is accepted meanwhile comes before it, and moves nothing."""
        values = values_of(tenant, asked, after, limit=limit + 1, most=self._most)
        rows = await self._database.fetch(page_statement(asked, after), values)
        if len(rows) > limit:
            return Page(await self._read(tenant, rows[:limit]), Place(rows[limit - 1][8], rows[limit - 1][0]))
        if not _sieve(asked):  # there was nothing to leave out: these are all
            return Page(await self._read(tenant, rows), None)
        last = await self._database.fetch(_write(_CANDIDATES, asked, after, "OFFSET %(most)s - 1 LIMIT 1"), values)
        return Page(await self._read(tenant, rows), Place(last[0][8], last[0][0]) if last else None)

    async def _read(self, tenant: str, rows: list[tuple[Any, ...]]) -> list[Listed]:
        found: dict[UUID, list[tuple[str, str]]] = {}
        if rows:
            for key, channel, status in await self._database.fetch(_DELIVERIES, (tenant, Uuids([r[0] for r in rows]))):
                found.setdefault(key, []).append((channel, status))
        return [
            Listed(
                id=row[0],
                user_id=row[2],
                event_type=row[3],
                status=row[4],
                reason=row[5],
                correlation_id=row[6],
                epoch=row[7],
                created_at=row[8],
                updated_at=row[9],
                deliveries=tuple(found.get(row[0], ())),
            )
            for row in rows
        ]


def page_statement(asked: Filter, after: Place | None) -> str:
    """Write the statement of a page for the filters that are there: the plan of each shape is its own."""
    return _write(_PAGE, asked, after, "LIMIT %(most)s")


def values_of(tenant: str, asked: Filter, after: Place | None, *, limit: int, most: int) -> dict[str, Any]:
    """List the values of the statements of a page."""
    values: dict[str, Any] = {name: getattr(asked, name) for name in (*_NARROW, *_SIEVE)}
    values |= {name: values[name].value for name in ("status", "channel") if values[name] is not None}
    if after is not None:
        values |= {"place_time": after.created_at, "place_id": after.id}
    values |= {"tenant": tenant, "limit": limit, "most": most}
    return {name: value for name, value in values.items() if value is not None}


def _write(template: str, asked: Filter, after: Place | None, part: str) -> str:
    narrow = [f"AND {sql}" for name, sql in _NARROW.items() if getattr(asked, name) is not None]
    if after is not None:
        narrow.append(f"AND {_AFTER}")
    return template.format(narrow=" ".join(narrow), part=part, sieve=_sieve(asked))


def _sieve(asked: Filter) -> str:
    conditions = [sql for name, sql in _SIEVE.items() if getattr(asked, name) is not None]
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
