"""Figures that the sweep counts and every process reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.store.database import Database

STALLED_LOOKS = 2
STUCK_LOOKS = 6
"""Half a minute after the first look comes the next one, and each wait is twice as long: six are half an hour."""

MOST_DEAD_LETTERS = 10_000

MANY, RECOUNT_SECONDS = 10_000, 4.0
"""To count a hundred thousand takes 50 ms (measured): where the sweep ticks every second, not every tick does."""

_COUNT = f"""
WITH waiting AS (
    SELECT status, created_at, send_at, looks FROM notifications
    WHERE next_look_at IS NOT NULL AND status <> 'scheduled' LIMIT %b
), counted AS (
    SELECT count(*) AS backlog, count(*) FILTER (WHERE looks >= {STALLED_LOOKS}) AS stalled,
           count(*) FILTER (WHERE looks >= {STUCK_LOOKS}) AS stuck,
           EXTRACT(EPOCH FROM clock_timestamp() - min(GREATEST(created_at, send_at)) FILTER (WHERE status <> 'sent'))
               AS oldest
    FROM waiting
)
INSERT INTO gauges (name, value)
SELECT f.name, f.value FROM counted c, LATERAL (VALUES
    ('backlog', c.backlog + (SELECT COALESCE(sum(total - expanded), 0) FROM fan_outs WHERE next_look_at IS NOT NULL)),
    ('stalled', c.stalled), ('stuck', c.stuck), ('oldest', COALESCE(c.oldest, 0)),
    ('dead letters', (SELECT count(*) FROM (
        SELECT FROM dead_letters WHERE status = 'open' LIMIT {MOST_DEAD_LETTERS}) AS open_ones))
) AS f(name, value)
ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = clock_timestamp() RETURNING name, value
"""  # noqa: S608 - constants of ours
_READ = """
SELECT name, value, EXTRACT(EPOCH FROM clock_timestamp() - updated_at)::float8 FROM gauges
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was counted, and how long ago."""

    value: float
    seconds_ago: float


class Gauges:
    """The room of figures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_backlog(self, ceiling: int) -> int:
        """Count what is under way, up to a ceiling, and users whose event is not expanded; keep the figure.

        Counted with it, and kept for whoever watches: how old the oldest is, how many the sweep asked for in vain, and
        the dead letters that are open.
        """
        counted = {str(row[0]): float(row[1]) for row in await self._database.fetch(_COUNT, (ceiling,))}
        return int(counted["backlog"])

    async def recount(self, ceiling: int) -> None:
        """Count the backlog, unless there was much of it a moment ago."""
        known = (await self.figures()).get("backlog")
        if known is None or known.value < MANY or known.seconds_ago >= RECOUNT_SECONDS:
            await self.count_backlog(ceiling)

    async def backlog(self) -> int:
        """Read how many were under way when the sweep last counted."""
        rows = await self._database.fetch("SELECT value FROM gauges WHERE name = 'backlog'")
        return int(rows[0][0]) if rows else 0

    async def figures(self) -> Mapping[str, Figure]:
        """Read every figure by its name; before the first sweep there are none."""
        return {name: Figure(value, ago) for name, value, ago in await self._database.fetch(_READ)}
