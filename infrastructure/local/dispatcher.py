"""What brings a Trigger's events to a function, with the semantics of the dispatcher of Knative's RabbitMQ broker."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from infrastructure.local.broker_ingress import Carried
from infrastructure.local.pausing import told_within
from infrastructure.local.records import Delivery
from infrastructure.local.targets import NO_ANSWER, Headers

log = logging.getLogger("carillon.local.dispatcher")

PREFETCH = 100
"""As many events it has in hand at most, whatever `parallelism` says."""

LONGEST_QUEUE = 100_000
"""So many events wait in memory. Beyond that a Broker of ours takes no more; what is owed stays in the database."""

RETRIED_BELOW_500 = frozenset({404, 408, 409, 429, NO_ANSWER})
DRAIN_SECONDS = 25.0


class Receiver(Protocol):
    """A function, as a dispatcher sees it."""

    async def post(self, headers: Headers, body: bytes) -> int:
        """POST a request; return its status, or NO_ANSWER."""


GiveUp = Callable[[Carried, int], None]
"""What becomes of an event whose retries are used up, and the last status."""


def is_retried(status: int) -> bool:
    """Tell whether an answer is tried again. Every other one counts as success, a 400 too: it loses the event."""
    return status >= 500 or status in RETRIED_BELOW_500


class Dispatcher:
    """A queue, and the workers that empty it. It takes events before it is started."""

    def __init__(self, name: str, parallelism: int, delivery: Delivery, give_up: GiveUp) -> None:
        self._name = name
        self._room = min(parallelism, PREFETCH)
        self._delivery = delivery
        self._give_up = give_up
        self._receiver: Receiver | None = None
        self._waiting: deque[Carried] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether another event may wait here."""
        return len(self._waiting) < LONGEST_QUEUE

    def offer(self, event: Carried) -> None:
        """Put an event into the queue."""
        self._waiting.append(event)
        self._spread()

    def start(self, receiver: Receiver) -> None:
        """Begin to deliver."""
        self._receiver = receiver
        self._spread()

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Begin nothing more, and wait for what is under way. What waits is lost: the database knows what is owed."""
        self._stopping.set()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._waiting:
            log.info("events are lost, and owed still", extra={"queue": self._name, "count": len(self._waiting)})

    def _spread(self) -> None:
        while self._receiver and self._waiting and len(self._running) < self._room and not self._stopping.is_set():
            task = asyncio.create_task(self._run(self._waiting.popleft(), self._receiver))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._spread()

    async def _run(self, event: Carried, receiver: Receiver) -> None:
        status = await self._attempt(event, receiver)
        for retry in range(1, self._delivery.retry + 1):
            if not is_retried(status) or await told_within(self._stopping, self._delivery.wait_seconds(retry)):
                break
            status = await self._attempt(event, receiver)
        if is_retried(status):
            self._give_up(event, status)

    async def _attempt(self, event: Carried, receiver: Receiver) -> int:
        try:
            async with asyncio.timeout(self._delivery.timeout_seconds):
                return await receiver.post(event.headers, event.data)
        except TimeoutError:
            return NO_ANSWER
        except Exception:
            log.exception("a delivery failed", extra={"queue": self._name})
            return NO_ANSWER
