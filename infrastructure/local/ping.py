"""Run a PingSource on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from infrastructure.local.records import PingSource
from infrastructure.local.schedule import Schedule
from infrastructure.local.targets import NO_ANSWER, RETRIED_STATUSES, Target
from shared.events import EventType

log = logging.getLogger("carillon.local.ping")

RETRIES = 5
BACKOFF_SECONDS = 0.05
DRAIN_SECONDS = 25.0

Now = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class PingRunner:
    """Send an event at every time of the schedule. While one is under way the next ones are left out, not queued."""

    def __init__(self, source: PingSource, target: Target, *, now: Now = utc_now, sleep: Sleep = asyncio.sleep) -> None:
        self._source = source
        self._schedule = Schedule.parse(source.schedule)
        self._target = target
        self._now = now
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._delivery: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to tick."""
        self._task = asyncio.create_task(self._tick_for_ever())

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Tick no more, and wait for a tick under way."""
        for task, seconds in ((self._task, 0.0), (self._delivery, drain_seconds)):
            if task is None:
                continue
            if seconds:
                await asyncio.wait({task}, timeout=seconds)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tick_for_ever(self) -> None:
        tick = self._schedule.next_after(self._now())
        while True:
            while (early := (tick - self._now()).total_seconds()) > 0:
                await self._sleep(early)
            self._delivery = asyncio.create_task(self._deliver(tick))
            await asyncio.shield(self._delivery)
            tick = self._schedule.next_after(self._now())

    async def _deliver(self, tick: datetime) -> None:
        body = ping_event(self._source, tick)
        for retry in range(RETRIES + 1):
            if retry:
                await self._sleep(BACKOFF_SECONDS * 2**retry)
            if await self._attempt(body) not in RETRIED_STATUSES:
                return
        log.warning("a tick was not taken", extra={"source": self._source.name})

    async def _attempt(self, body: bytes) -> int:
        try:
            return (await self._target.deliver([body], alone=True))[0]
        except Exception:
            log.exception("a tick failed", extra={"source": self._source.name})
            return NO_ANSWER


def ping_event(source: PingSource, tick: datetime) -> bytes:
    """Write the event of one tick, with a new id."""
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"/apis/v1/namespaces/{source.namespace}/pingsources/{source.name}",
        "type": EventType.TICK.value,
        "time": tick.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": json.loads(source.data),
    }
    return json.dumps(event).encode()
