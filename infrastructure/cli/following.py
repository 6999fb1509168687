"""Follow notifications by their list, with one request at a time and no change told twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from infrastructure.cli import moments
from infrastructure.client import Carillon
from shared.statuses import TERMINAL

PAGE = 100
MOST_PAGES = 5
OVERLAP_SECONDS = 30
"""So far back each look goes at least: what was accepted together is committed in any order, and what was sent may be
acknowledged."""

LONGEST_SECONDS = 600
"""So long one that goes on is followed; `carillon tail ID` follows it to its end."""

_ENDED = frozenset(status.value for status in TERMINAL)

Row = Mapping[str, Any]


@dataclass(slots=True)
class Watch:
    """What was told of each notification that may still change."""

    filters: Mapping[str, str]
    is_behind: bool = False  # more went on than was looked at
    _floor: datetime | None = None  # what is older was there before, and is nobody's news
    _told: dict[str, str] = field(default_factory=dict)
    _rows: dict[str, Row] = field(default_factory=dict)
    _newest: datetime | None = None

    async def first(self, carillon: Carillon, count: int) -> list[Row]:
        """Look for the newest; return so many, the oldest first."""
        page = await carillon.request("GET", _path({**self.filters, "limit": str(PAGE)}))
        rows = page["notifications"]
        if page["next_cursor"] and rows:
            self._floor = moments.read(rows[-1]["created_at"])
        self.take(rows)
        return list(reversed(rows[:count]))

    async def look(self, carillon: Carillon) -> list[Row]:
        """Ask for what is new or may have changed; return what did, the oldest first."""
        filters = {**self.filters, "limit": str(PAGE)}
        since = self.since
        if since is not None:
            filters["created_after"] = since.isoformat()
        found: list[Row] = []
        cursor: str | None = ""
        for _ in range(MOST_PAGES):
            page = await carillon.request("GET", _path({**filters, **({"cursor": cursor} if cursor else {})}))
            found += page["notifications"]
            cursor = page["next_cursor"]
            if not cursor:
                break
        self.is_behind = bool(cursor)
        return self.take(found)

    @property
    def is_busy(self) -> bool:
        """Whether any of them goes on."""
        return any(row["status"] not in _ENDED for row in self._rows.values())

    @property
    def since(self) -> datetime | None:
        """The moment from which on is asked: of the oldest that goes on, and a little before the newest anyhow."""
        if self._newest is None:
            return None
        moments_open = [moments.read(row["created_at"]) for row in self._rows.values() if row["status"] not in _ENDED]
        since = min([*moments_open, self._newest - timedelta(seconds=OVERLAP_SECONDS)])
        return max(since, self._floor) if self._floor is not None else since

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Note rows as they were listed, the newest first; return those that are new or have changed."""
        changed = []
        for row in reversed(rows):
            key, said = str(row["id"]), _said(row)
            self._rows[key] = row
            if self._told.get(key) != said:
                self._told[key] = said
                changed.append(row)
            created = moments.read(row["created_at"])
            self._newest = created if self._newest is None else max(self._newest, created)
        self._forget()
        return changed

    def _forget(self) -> None:
        """Let go of what is not asked for any more."""
        newest = self._newest or moments.now()
        for key, row in list(self._rows.items()):
            age = (newest - moments.read(row["created_at"])).total_seconds()
            if age > (LONGEST_SECONDS if row["status"] not in _ENDED else 2 * OVERLAP_SECONDS):
                del self._rows[key]
                del self._told[key]


def _said(row: Row) -> str:
    deliveries = [(one["channel"], one["status"]) for one in row["deliveries"]]
    return repr((row["epoch"], row["status"], deliveries))


def _path(query: Mapping[str, str]) -> str:
    return f"/api/v1/notifications?{urlencode(query)}"
