"""Figures that the sweep counts and every process reads."""

from __future__ import annotations

from shared.store.database import Database

_COUNT = """
INSERT INTO gauges (name, value)
SELECT 'backlog', (SELECT count(*) FROM (
    SELECT FROM notifications WHERE next_look_at IS NOT NULL AND status <> 'scheduled' LIMIT %b
) AS waiting) + (SELECT COALESCE(sum(total - expanded), 0) FROM fan_outs WHERE next_look_at IS NOT NULL)
ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = clock_timestamp() RETURNING value
"""


class Gauges:
    """The room of figures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_backlog(self, ceiling: int) -> int:
        """Count what is under way, up to a ceiling, and users whose event is not expanded; keep the figure."""
        return int((await self._database.fetch(_COUNT, (ceiling,)))[0][0])

    async def backlog(self) -> int:
        """Read how many were under way when the sweep last counted."""
        rows = await self._database.fetch("SELECT value FROM gauges WHERE name = 'backlog'")
        return int(rows[0][0]) if rows else 0
