"""What the database shows of who is at work. For the strikes alone: the audit asks the API."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg

PATIENCE_SECONDS = 5.0

_AT_WORK = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND (state <> 'idle' OR state_change > %s)
"""
_UNDER_WAY = "SELECT count(*) FROM notifications WHERE status IN ('pending', 'queued', 'compensating')"
_CUT = """
WITH connected AS (
    SELECT pid, state <> 'idle' AS is_busy FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
)
SELECT count(*) FILTER (WHERE is_busy), count(pg_terminate_backend(pid)) FROM connected
WHERE EXISTS (SELECT FROM connected WHERE is_busy)
"""


class Database:
    """A connection of our own, made anew whenever it is lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def transactions(self, application: str, since: datetime) -> int:
        """Count what an application has under way, or had since then and cannot know the end of."""
        return int((await self._fetch(_AT_WORK, (application, since)))[0])

    async def under_way(self) -> int:
        """Count the notifications that have not ended; 0 when the database is away."""
        with suppress(psycopg.OperationalError, TimeoutError):
            return int((await self._fetch(_UNDER_WAY))[0])
        return 0

    async def cut_the_busy(self) -> tuple[int, int]:
        """End every other connection, if one of them is in the middle of something: how many were, of how many."""
        busy, ended = await self._fetch(_CUT)
        return int(busy), int(ended)

    async def close(self) -> None:
        """Let go."""
        if self._connection:
            await self._connection.close()

    async def _fetch(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if self._connection is None:
                    self._connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
                row: tuple[Any, ...] | None = await (
                    await self._connection.execute(statement.encode(), values)
                ).fetchone()
        except (psycopg.OperationalError, TimeoutError):
            if self._connection:
                await self._connection.close()
            self._connection = None
            raise
        assert row is not None
        return row
