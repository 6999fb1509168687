"""What a process looks at when it is scraped: figures that nobody has to count meanwhile."""

from __future__ import annotations

import asyncio
import time

from shared.errors import Transient
from shared.metrics import Metrics
from shared.statuses import Channel
from shared.store import Store
from shared.store.breakers import BreakerState
from shared.store.database import Pressure

LOOK_SECONDS = 1.0
"""So long a scrape waits for the database, and so often one asks it at most: anybody may ask for /metrics."""

SHUT = (BreakerState.OPEN, BreakerState.HALF_OPEN)


class Observer:
    """The figures of the database and of its pool, as one process shows them."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._lines: set[tuple[Channel, str]] = set()
        self._seen = Pressure(connections=0, waiting=0, waits=0, wait_seconds=0.0)
        self._looked_at = float("-inf")
        self._opened_at = time.monotonic()

    def watch_line(self, channel: Channel, provider: str) -> None:
        """Show the breaker before a provider from now on."""
        self._lines.add((channel, provider))
        for state in SHUT:
            self._metrics.breakers.labels(channel.value, provider, state.value).set(0)

    async def look(self) -> None:
        """Bring the figures up to date. What the database does not tell in time stays as it was."""
        self._look_at_pool()
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look_at_figures()
                await self._look_at_breakers()
        except (Transient, TimeoutError):
            return

    def _look_at_pool(self) -> None:
        metrics, now, before = self._metrics, self._store.database.pressure(), self._seen
        metrics.pool_connections.set(now.connections)
        metrics.pool_waiting.set(now.waiting)
        metrics.pool_waits.inc(max(0, now.waits - before.waits))
        metrics.pool_wait_seconds.inc(max(0.0, now.wait_seconds - before.wait_seconds))
        self._seen = now

    async def _look_at_figures(self) -> None:
        metrics, figures = self._metrics, await self._store.gauges.figures()
        shown = {
            "backlog": metrics.backlog,
            "stalled": metrics.stalled,
            "stuck": metrics.stuck,
            "oldest": metrics.oldest,
            "dead letters": metrics.dead_letters_open,
        }
        for name, gauge in shown.items():
            if name in figures:
                gauge.set(figures[name].value)
        never = time.monotonic() - self._opened_at
        metrics.swept_ago.set(figures["backlog"].seconds_ago if "backlog" in figures else never)

    async def _look_at_breakers(self) -> None:
        if not self._lines:
            return
        shut = await self._store.breakers.shut(sorted({provider for _, provider in self._lines}))
        for channel, provider in self._lines:
            for state in SHUT:
                count = shut.get((provider, state), 0)
                self._metrics.breakers.labels(channel.value, provider, state.value).set(count)
