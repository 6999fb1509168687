"""Hints by LISTEN and NOTIFY, where the broker tells nobody: heard by whoever listens now, and lost otherwise.

Whoever listens has one connection of its own for that. It must be to Postgres itself: behind a PgBouncer that pools
transactions LISTEN succeeds and nothing is ever heard. Realtime then looks by itself, every five seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from shared.coalesce import Coalescer
from shared.store.columns import Texts
from shared.store.database import Database

OnHint = Callable[[bytes], None]

CHANNEL = "carillon_hints"
MOST_BYTES = 7_999
"""Postgres refuses a longer payload, and with it the whole statement."""

LARGEST_SET = 500
MOST_WAITING = 10_000
START_SECONDS = 3.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 5.0

_NOTIFY = f"SELECT pg_notify('{CHANNEL}', hint) FROM unnest(%b::text[]) AS hint"  # noqa: S608 - a constant of ours
_ALIVE: dict[str, Any] = {
    "application_name": "carillon hints",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""Nothing is ever sent on it after LISTEN: only TCP notices that the other end is gone."""

log = logging.getLogger(__name__)


class Listener:
    """One that hears the hints."""

    def __init__(self, on_hint: OnHint, room: Hints) -> None:
        self._on_hint = on_hint
        self._room = room

    async def cancel(self) -> None:
        """Hear no more."""
        await self._room.leave(self)

    def hear(self, body: bytes) -> None:
        """Hand over one hint."""
        try:
            self._on_hint(body)
        except Exception:  # a bug of ours; the next hint may be heard
            log.exception("a hint could not be handed over")


class Hints:
    """The room of hints: those that come together are one statement, and all listeners of a process one connection."""

    def __init__(self, url: str, database: Database) -> None:
        self._url = url
        self._database = database
        self._sending: Coalescer[str, None] = Coalescer(self._notify, max_size=LARGEST_SET)
        self._listeners: list[Listener] = []
        self._ear: asyncio.Task[None] | None = None
        self._hears = asyncio.Event()

    def send(self, body: bytes) -> None:
        """Tell everybody who listens, and wait for nothing. What cannot be told now is dropped."""
        if len(body) <= MOST_BYTES and len(self._sending) < MOST_WAITING:
            self._sending.enqueue([body.decode(errors="replace")])

    async def listen(self, on_hint: OnHint) -> Listener:
        """Hear the hints, across lost connections, until cancelled; what is told meanwhile is lost.

        Returns after three seconds without a connection, too, and goes on trying.
        """
        listener = Listener(on_hint, self)
        self._listeners.append(listener)
        if self._ear is None:
            self._ear = asyncio.create_task(self._keep_hearing())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hears.wait(), START_SECONDS)
        return listener

    async def leave(self, listener: Listener) -> None:
        """Tell one no more; without any the connection goes."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners:
            await self._stop_hearing()

    async def close(self) -> None:
        """Tell what was said, and hear no more."""
        await self._sending.close()
        self._listeners.clear()
        await self._stop_hearing()

    async def _notify(self, hints: Sequence[str]) -> Sequence[None]:
        await self._database.run(_NOTIFY, (Texts(list(dict.fromkeys(hints))),))
        return [None] * len(hints)

    async def _stop_hearing(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.cancel()
            await asyncio.wait({ear})
        self._hears.clear()

    async def _keep_hearing(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._hear()
            except (psycopg.Error, OSError) as lost:
                log.warning("hints are not heard now", extra={"reason": type(lost).__name__})
            if self._hears.is_set():
                pause = FIRST_PAUSE_SECONDS
                self._hears.clear()
            await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _hear(self) -> None:
        """Hear hints until the connection is lost."""
        async with await AsyncConnection.connect(self._url, autocommit=True, **_ALIVE) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._hears.set()
            async for notification in connection.notifies():
                body = notification.payload.encode()
                for listener in tuple(self._listeners):
                    listener.hear(body)
