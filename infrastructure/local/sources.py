"""Run a RabbitmqSource on this machine, with the semantics that Knative's receive adapter has on a cluster."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

from pydantic_core import from_json

from infrastructure.local.pausing import told_within
from infrastructure.local.records import QueueSource
from infrastructure.local.targets import LARGEST_BATCH, RETRIED_STATUSES, Target
from shared.broker.protocol import Broker, Received, Subscription
from shared.events import CONTENT_TYPE, EventType

log = logging.getLogger("carillon.local.sources")

MIN_PREFETCH = 100
"""What Knative's adapter asks for, whatever `parallelism` says."""

BATCHES_IN_HAND = 3
"""While a function works on one batch the next one is there."""

DRAIN_SECONDS = 25.0


class Verdict(StrEnum):
    """What an answer means for a message."""

    ACKNOWLEDGE = "acknowledge"  # the outcome is durable
    RETRY = "retry"  # again after the back-off, in this process
    REJECT = "reject"  # to the dead-letter exchange at once; it comes home from there


def verdict(status: int) -> Verdict:
    """Read an answer as the adapter does: only a few codes are tried again, a bare 500 is not."""
    if 200 <= status < 300:
        return Verdict.ACKNOWLEDGE
    return Verdict.RETRY if status in RETRIED_STATUSES else Verdict.REJECT


def is_final(status: int) -> bool:
    """Tell whether an answer settles a message."""
    return verdict(status) is not Verdict.RETRY


@dataclass(frozen=True, slots=True)
class Held:
    """A message in hand, and the structured CloudEvent that it is or was wrapped into."""

    received: Received
    body: bytes
    size: int = 1
    """How many events are in it; 0: none that could stand beside others."""


class QueueRunner:
    """Hand a queue's messages to a function, at most `parallelism` requests at a time, and settle each by its answer.

    Where a request may hold several events, what is there goes together, without waiting for more or for the requests
    under way.
    """

    def __init__(self, source: QueueSource, broker: Broker, target: Target) -> None:
        self._source = source
        self._broker = broker
        self._target = target
        self._waiting: deque[Held] = deque()
        self._in_hand = 0
        self._requests = 0
        self._room = source.parallelism  # for so many requests, or for so many events where they go together
        if target.together > 1:
            self._room = min(source.parallelism, BATCHES_IN_HAND) * target.together
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._subscription: Subscription | None = None
        self._is_called = False

    async def start(self) -> None:
        """Begin to consume."""
        source = self._source
        prefetch = source.prefetch or max(MIN_PREFETCH, self._room)
        self._subscription = await self._broker.subscribe(
            source.queue, self._arrived, prefetch, priority=source.priority
        )

    async def stop(self, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Take no more, and wait for what is under way. What was not assigned, or waits to be tried again, is left
        unacknowledged: the broker delivers it again.
        """
        self._stopping.set()
        if self._subscription:
            await self._subscription.cancel()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _arrived(self, messages: Sequence[Received]) -> None:
        self._waiting.extend(_held(message, self._source) for message in messages)
        self._spread()

    def _spread(self) -> None:
        self._is_called = False
        while self._waiting and self._has_room and not self._stopping.is_set():
            together = self._take(min(LARGEST_BATCH, self._room - self._in_hand))
            self._in_hand += self._weigh(together)
            self._requests += 1
            task = asyncio.create_task(self._run(together))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    @property
    def _has_room(self) -> bool:
        is_batched = self._target.together > 1  # else each event is a request
        return self._in_hand < self._room and not (is_batched and self._requests >= self._source.parallelism)

    def _take(self, limit: int) -> list[Held]:
        taken = [self._waiting.popleft()]
        left = limit - taken[0].size
        while self._waiting and taken[0].size and 0 < self._waiting[0].size <= left:
            taken.append(self._waiting.popleft())
            left -= taken[-1].size
        return taken

    def _weigh(self, together: Sequence[Held]) -> int:
        """Say how much room messages take."""
        return len(together) if self._target.together == 1 else sum(max(held.size, 1) for held in together)

    async def _run(self, together: list[Held]) -> None:
        unsettled = together
        try:
            for retry in range(self._source.retry + 1):
                if retry and await told_within(self._stopping, self._source.wait_seconds(retry)):
                    return
                unsettled = await self._attempt(unsettled)
                if not unsettled:
                    return
            self._reject(unsettled)
            unsettled = []
        finally:
            self._in_hand -= self._weigh(unsettled)
            self._requests -= 1
            self._spread()

    async def _attempt(self, together: list[Held]) -> list[Held]:
        """Deliver once, and settle each as it is answered. Return those that are to be tried again."""
        unsettled = dict(enumerate(together))

        def told(answers: Sequence[tuple[int, int]]) -> None:
            final = [(place, status) for place, status in answers if place in unsettled and is_final(status)]
            self._settle([(unsettled.pop(place), status) for place, status in final])

        try:
            bodies, alone = [held.body for held in together], not together[0].size
            told(list(enumerate(await self._target.deliver(bodies, told, alone=alone))))
        except Exception:
            log.exception("a delivery failed", extra={"queue": self._source.queue})
        return list(unsettled.values())

    def _settle(self, answered: Sequence[tuple[Held, int]]) -> None:
        done = [held for held, status in answered if verdict(status) is Verdict.ACKNOWLEDGE]
        for held in done:
            held.received.acknowledge()
        self._in_hand -= self._weigh(done)
        self._reject([held for held, status in answered if verdict(status) is Verdict.REJECT])
        if answered and not self._is_called:  # on the next turn: what is answered together makes room together
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._spread)

    def _reject(self, together: list[Held]) -> None:
        if not together:
            return
        for held in together:
            held.received.reject()
        self._in_hand -= self._weigh(together)
        first = together[0].received.message_id
        log.warning(
            "messages go to the dead-letter exchange and come back",
            extra={"queue": self._source.queue, "count": len(together), "event_id": first},
        )


def _held(message: Received, source: QueueSource) -> Held:
    if message.content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        return Held(message, wrap_foreign(message, source))
    return Held(message, message.body, _count(message.body))


def _count(body: bytes) -> int:
    """Count the events in a body; 0: in an array of events it would break it. About a microsecond each."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError:
        return 0
    if not isinstance(document, dict):
        return 0
    data = document.get("data") if document.get("type") == EventType.BUNDLE.value else None
    members = data.get("members") if isinstance(data, dict) else None
    return len(members) or 1 if isinstance(members, list) else 1


def wrap_foreign(message: Received, source: QueueSource) -> bytes:
    """Wrap what is no CloudEvent as the adapter does, so that the function can keep it with its bytes."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": message.message_id or str(uuid4()),
            "source": f"/apis/v1/namespaces/{source.namespace}/rabbitmqsources/{source.name}#{source.queue}",
            "type": "dev.knative.rabbitmq.event",
            "datacontenttype": message.content_type or "application/octet-stream",
            "data_base64": base64.b64encode(message.body).decode(),
        }
    ).encode()
