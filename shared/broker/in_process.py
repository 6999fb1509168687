"""The broker of the embedded default: queues in this process, with the promises of the real one.

Everything is lost with the process; the database brings it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.broker import topology
from shared.broker.in_process_queue import Consumer, DelayLine, WorkQueue
from shared.broker.protocol import Message, OnHint, OnLoss, OnMessages, PublishRefused, Subscription

log = logging.getLogger(__name__)

MAX_MESSAGES = 100_000
SETTLE_SECONDS = 30.0


class WorkSubscription:
    """What a subscriber holds."""

    def __init__(self, consumer: Consumer, settle_seconds: float) -> None:
        self._consumer = consumer
        self._settle_seconds = settle_seconds

    async def cancel(self) -> None:
        """Take no more. What is in hand may still be settled; what is not settled is delivered again."""
        self._consumer.let_go(self._settle_seconds)


class HintSubscription:
    """One that hears the hints."""

    def __init__(self, on_hint: OnHint, listeners: list[HintSubscription]) -> None:
        self._on_hint = on_hint
        self._listeners = listeners
        listeners.append(self)

    async def cancel(self) -> None:
        """Hear no more."""
        if self in self._listeners:
            self._listeners.remove(self)

    def hear(self, body: bytes) -> None:
        """Hand over one hint, unless cancelled meanwhile."""
        if self not in self._listeners:
            return
        try:
            self._on_hint(body)
        except Exception:  # a bug of ours; the next hint may be heard
            log.exception("a hint could not be handed over")


class InProcessBroker:
    """The `Broker` in memory. The two times are for tests: how long a rejected message stays away, and how long the
    messages of a cancelled subscription may still be settled.
    """

    holds_back = True
    carries_bundles = True

    def __init__(
        self,
        *,
        on_loss: OnLoss | None = None,
        retry_after_seconds: float = topology.RETRY_AFTER_SECONDS,
        settle_seconds: float = SETTLE_SECONDS,
        max_messages: int = MAX_MESSAGES,
    ) -> None:
        self.on_loss = on_loss
        self._telling: set[asyncio.Future[None]] = set()
        self._settle_seconds = settle_seconds
        self._max_messages = max_messages
        self._retry = DelayLine(retry_after_seconds, self._come_home)
        self._delays = {seconds: DelayLine(seconds, self._come_home) for seconds in topology.DELAYS_SECONDS}
        names = (*topology.WORK_QUEUES, topology.PARKING_LOT)
        self._queues = {name: WorkQueue(name, self._retry) for name in names}
        self._listeners: list[HintSubscription] = []
        self._consumers: list[Consumer] = []
        self._is_started = False

    async def start(self) -> None:
        """Take messages from now on. Whatever an earlier process held is lost, so somebody may be owed something."""
        self._is_started = True
        self._tell()

    async def stop(self) -> None:
        """Let go of everything."""
        self._is_started = False
        self._forget_everything()
        for telling in self._telling:
            telling.cancel()
        for consumer in self._consumers:
            consumer.close()
        for queue in self._queues.values():
            queue.consumers.clear()
        self._listeners.clear()

    def lose_everything(self) -> None:
        """Forget every message, as a broker does whose disk is gone, and say so. Subscriptions live on."""
        self._forget_everything()
        self._tell()

    def _tell(self) -> None:
        if self.on_loss:
            telling = asyncio.ensure_future(self.on_loss())
            self._telling.add(telling)
            telling.add_done_callback(self._told)

    def _told(self, telling: asyncio.Future[None]) -> None:
        self._telling.discard(telling)
        if not telling.cancelled() and telling.exception():
            log.error("what the broker lost could not be marked for publishing", exc_info=telling.exception())

    def _forget_everything(self) -> None:
        for line in (self._retry, *self._delays.values()):
            line.clear()
        for queue in self._queues.values():
            queue.waiting.clear()
            queue.held = 0
        for consumer in self._consumers:
            consumer.forget()

    @property
    def is_ready(self) -> bool:
        """Whether a publish would have a chance now."""
        return self._is_started

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Return for each message None when it was taken, or why it was not."""
        return [self._publish(message) for message in messages]

    def _publish(self, message: Message) -> PublishRefused | None:
        if not self._is_started:
            return PublishRefused("this process publishes no more")
        queue = self._queues.get(message.queue)
        line = self._delays.get(message.delay_seconds) if message.delay_seconds else None
        if queue is None or (message.delay_seconds and line is None):
            return PublishRefused("no such queue or delay")
        if queue.held >= self._max_messages:
            return PublishRefused("the queue is full")
        queue.held += 1
        if line:
            line.put(message)
        else:
            queue.put(message)
        return None

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        """Consume a work queue until cancelled. Subscriptions of one queue and of one priority take turns.

        Raises:
            KeyError: the table has no such queue.
        """
        consumer = Consumer(self._queues[queue], on_messages, prefetch, priority)
        self._consumers.append(consumer)
        self._queues[queue].consumers.append(consumer)
        self._queues[queue].call()
        return WorkSubscription(consumer, self._settle_seconds)

    def hint(self, body: bytes) -> None:
        """Tell everybody who listens."""
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener.hear, body)

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear the hints from now on."""
        return HintSubscription(on_hint, self._listeners)

    async def depths(self) -> dict[str, int]:
        """Count the messages that wait in each work queue and in the parking lot."""
        return {name: len(queue.waiting) for name, queue in self._queues.items()} if self._is_started else {}

    def _come_home(self, message: Message) -> None:
        self._queues[message.queue].put(message)
