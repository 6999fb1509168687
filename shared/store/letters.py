"""Dead letters as operators look for them: a page at a time, the newest first, and all that match a filter.

However many there are, a page looks at no more than `MOST_LOOKED_AT` of one tenant and status. What has no index (a
channel, an event type, a part of the reason) is asked of those: so a page may be short, and still have a next one.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.statuses import Channel
from shared.store.columns import Uuids
from shared.store.database import Database
from shared.store.listing import Place

MOST_LOOKED_AT = 5_000
MOST_MATCHED = 200_000
"""Of a tenant's open ones so many are looked at where all are asked for that match."""
MOST_BYTES = 4_000_000
"""So many bytes of garbage come into one page, at least one letter: each may have a million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters; what is None is not asked about. `reason` is a part of the text, in whatever case."""

    status: str = "open"
    created_after: datetime | None = None
    created_before: datetime | None = None
    kind: str | None = None
    reason: str | None = None
    user_id: str | None = None
    event_type: str | None = None
    channel: Channel | None = None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """A part of the list, and where the next one begins; None where there is none."""

    found: list[dict[str, Any]]
    following: Place | None


_NARROW = {
    "created_after": "l.created_at >= %(created_after)s",
    "created_before": "l.created_at < %(created_before)s",
}
"""What the index answers."""

_OF_NOTIFICATION = "SELECT FROM notifications n WHERE n.id = c.notification_id AND n.tenant = c.tenant"
_SIEVE = {
    "kind": "c.kind = %(kind)s",
    "reason": "position(lower(%(reason)s::text) IN lower(c.reason)) > 0",
    "user_id": f"EXISTS ({_OF_NOTIFICATION} AND n.user_id = %(user_id)s)",
    "event_type": f"EXISTS ({_OF_NOTIFICATION} AND n.event_type = %(event_type)s)",
    "channel": """EXISTS (SELECT FROM deliveries d WHERE d.notification_id = c.notification_id AND d.tenant = c.tenant
                          AND d.channel = %(channel)s)""",
}
"""What is asked of the rows that were found."""

_CANDIDATES = """
SELECT l.id, l.tenant, l.kind, l.reason, l.notification_id, l.created_at, COALESCE(octet_length(l.body), 0) AS size
FROM dead_letters l WHERE l.tenant = %(tenant)s AND l.status = %(status)s {narrow}
ORDER BY l.created_at {way}, l.id {way} {part}
"""
_PAGE = f"""
SELECT c.id, c.created_at, c.size FROM ({_CANDIDATES}) c {{sieve}}
ORDER BY c.created_at DESC, c.id DESC LIMIT %(limit)s
"""  # noqa: S608 - written of constants of ours
_MATCHING = f"SELECT c.id FROM ({_CANDIDATES}) c {{sieve}} ORDER BY c.created_at, c.id LIMIT %(limit)s"  # noqa: S608
_COUNT = f"SELECT count(*) FROM ({_CANDIDATES}) c {{sieve}}"  # noqa: S608
_AFTER = "(l.created_at, l.id) < (%(place_time)s, %(place_id)s)"
_CAN_START_OVER = "l.notification_id IS NOT NULL"

_FIELDS = (
    *("id", "kind", "status", "notification_id", "epoch", "step", "reason", "body_base64", "created_at"),
    *("settled_at", "settled_by", "settled_reason", "user_id", "event_type", "channels"),
)
_READ = """
SELECT l.id, l.kind, l.status, l.notification_id, l.epoch, l.step, l.reason, l.body, l.created_at, l.settled_at,
       l.settled_by, l.settled_reason, n.user_id, n.event_type,
       ARRAY(SELECT d.channel FROM deliveries d WHERE d.notification_id = l.notification_id AND d.tenant = l.tenant
             ORDER BY d.position, d.channel)
FROM dead_letters l LEFT JOIN notifications n ON n.id = l.notification_id AND n.tenant = l.tenant
WHERE l.tenant = %s AND l.id = ANY(%s) ORDER BY l.created_at DESC, l.id DESC
"""
_COUNT_OPEN = "SELECT count(*) FROM (SELECT FROM dead_letters WHERE tenant = %s AND status = 'open' LIMIT %s) l"


class Letters:
    """The room of operators who look for dead letters."""

    def __init__(self, database: Database, *, most_looked_at: int = MOST_LOOKED_AT) -> None:
        self._database = database
        self._most = most_looked_at

    async def page(self, tenant: str, asked: LetterFilter, *, after: Place | None = None, limit: int) -> LetterPage:
        """Read one page, the newest first."""
        values = _values(tenant, asked, after, limit=limit + 1, most=self._most)
        rows = await self._database.fetch(_write(_PAGE, asked, after, "LIMIT %(most)s"), values)
        fitting = _fitting([row[2] for row in rows[:limit]])
        if len(rows) > fitting:
            return LetterPage(await self.read(tenant, [row[0] for row in rows[:fitting]]), _place(rows[fitting - 1]))
        found = await self.read(tenant, [row[0] for row in rows])
        if not _sieve(asked):  # there was nothing to leave out: these are all
            return LetterPage(found, None)
        last = await self._database.fetch(_write(_CANDIDATES, asked, after, "OFFSET %(most)s - 1 LIMIT 1"), values)
        return LetterPage(found, Place(last[0][5], last[0][0]) if last else None)

    async def read(self, tenant: str, keys: Sequence[UUID]) -> list[dict[str, Any]]:
        """Read some of a tenant's, the newest first; those that there are not are left out."""
        if not keys:
            return []
        return [_document(row) for row in await self._database.fetch(_READ, (tenant, Uuids(keys)))]

    async def get(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Read one."""
        return next(iter(await self.read(tenant, [key])), None)

    async def matching(self, tenant: str, asked: LetterFilter, limit: int) -> list[UUID]:
        """List those that hold a notification and match, the oldest first."""
        values = _values(tenant, asked, None, limit=limit, most=MOST_MATCHED)
        rows = await self._database.fetch(_write_matching(_MATCHING, asked), values)
        return [row[0] for row in rows]

    async def count_matching(self, tenant: str, asked: LetterFilter) -> int:
        """Count those that hold a notification and match."""
        values = _values(tenant, asked, None, limit=0, most=MOST_MATCHED)
        return int((await self._database.fetch(_write_matching(_COUNT, asked), values))[0][0])

    async def count_open(self, tenant: str) -> int:
        """Count those that wait for a person."""
        return int((await self._database.fetch(_COUNT_OPEN, (tenant, MOST_MATCHED)))[0][0])


def _fitting(sizes: Sequence[int]) -> int:
    """Count how many of the first come into one page; the first one always does."""
    held = 0
    for count, size in enumerate(sizes):
        held += size
        if count and held > MOST_BYTES:
            return count
    return len(sizes)


def _place(row: Sequence[Any]) -> Place:
    return Place(row[1], row[0])


def _values(tenant: str, asked: LetterFilter, after: Place | None, *, limit: int, most: int) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(asked, name) for name in LetterFilter.__dataclass_fields__}
    values["channel"] = asked.channel.value if asked.channel else None
    if after is not None:
        values |= {"place_time": after.created_at, "place_id": after.id}
    values |= {"tenant": tenant, "limit": limit, "most": most}
    return {name: value for name, value in values.items() if value is not None}


def _write(template: str, asked: LetterFilter, after: Place | None, part: str) -> str:
    narrow = [f"AND {sql}" for name, sql in _NARROW.items() if getattr(asked, name) is not None]
    if after is not None:
        narrow.append(f"AND {_AFTER}")
    return template.format(narrow=" ".join(narrow), part=part, way="DESC", sieve=_sieve(asked))


def _write_matching(template: str, asked: LetterFilter) -> str:
    narrow = [f"AND {sql}" for name, sql in _NARROW.items() if getattr(asked, name) is not None]
    narrow.append(f"AND {_CAN_START_OVER}")
    return template.format(narrow=" ".join(narrow), part="LIMIT %(most)s", way="ASC", sieve=_sieve(asked))


def _sieve(asked: LetterFilter) -> str:
    conditions = [sql for name, sql in _SIEVE.items() if getattr(asked, name) is not None]
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""


def _document(row: Sequence[Any]) -> dict[str, Any]:
    document = dict(zip(_FIELDS, row, strict=True))
    for name in ("id", "notification_id"):
        document[name] = str(document[name]) if document[name] else None
    for name in ("created_at", "settled_at"):
        document[name] = document[name].isoformat() if document[name] else None
    body = document["body_base64"]
    document["body_base64"] = None if body is None else base64.b64encode(body).decode()
    return document
