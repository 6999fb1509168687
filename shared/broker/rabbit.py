"""RabbitMQ behind the protocol: one connection to publish, one to consume, so that back-pressure stops no consumer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from pika.adapters.asyncio_connection import AsyncioConnection

from shared.broker import topology
from shared.broker.protocol import Message, OnHint, OnLoss, OnMessages, PublishRefused, Subscription
from shared.broker.rabbit_channel import NOT_FOUND, ChannelLost
from shared.broker.rabbit_connection import SupervisedConnection, kind
from shared.broker.rabbit_consumer import RabbitSubscription
from shared.broker.rabbit_hints import HintListener, HintSender
from shared.broker.rabbit_loss import LossWatch
from shared.broker.rabbit_publisher import DESTINATIONS, Publisher
from shared.broker.rabbit_topology import Topology
from shared.broker.rabbit_turnstile import Turnstile
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

START_SECONDS = 3.0
SETTLE_SECONDS = 30.0


class WorkSubscription:
    """What a subscriber holds: the consumer, and for how long its messages may still be settled after the end."""

    def __init__(self, consumer: RabbitSubscription, settle_seconds: float) -> None:
        self._consumer = consumer
        self._settle_seconds = settle_seconds

    async def cancel(self) -> None:
        """Take no more. What is in hand may still be settled; what is not settled is delivered again."""
        await self._consumer.cancel(self._settle_seconds)


class RabbitBroker:
    """The `Broker` on RabbitMQ.

    `on_loss` is called once per loss: queues were missing when connecting, or disappeared. `queues` is the table.
    After a subscription is cancelled its messages may be settled for `settle_seconds`.
    """

    holds_back = True
    carries_bundles = True

    def __init__(
        self,
        url: str,
        on_loss: OnLoss | None = None,
        *,
        queues: Callable[[], list[topology.Queue]] = topology.queues,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._topology = Topology(queues)
        self._declaring = asyncio.Lock()
        self._loss = LossWatch(self._repair, on_loss)
        self._publishing = SupervisedConnection(url, "carillon publishes", self._declare)
        self._consuming = SupervisedConnection(url, "carillon consumes", self._declare)
        self._turnstile = Turnstile(self._consuming, self._loss.suspect)
        self._publisher = Publisher(self._publishing, self._loss.suspect)
        self._settle_seconds = settle_seconds
        self._hints: HintSender | None = None
        self._consumers: list[RabbitSubscription] = []
        self._listeners: list[HintListener] = []

    @property
    def on_loss(self) -> OnLoss | None:
        """Whom to call when the broker may have lost what it held."""
        return self._loss.on_loss

    @on_loss.setter
    def on_loss(self, on_loss: OnLoss | None) -> None:
        self._loss.on_loss = on_loss

    async def start(self) -> None:
        """Connect and declare the topology; after three seconds return without, and go on trying."""
        self._publishing.start()
        self._consuming.start()
        self._publisher.start()
        self._hints = HintSender(self._publishing, self._loss.suspect)
        async with asyncio.TaskGroup() as waits:
            waits.create_task(self._publisher.wait_ready(START_SECONDS))
            waits.create_task(self._hints.wait_ready(START_SECONDS))
            waits.create_task(self._consuming.wait_open(START_SECONDS))

    async def stop(self) -> None:
        """Hand over no more, wait for confirms and settlements under way, and close."""
        await asyncio.gather(*(consumer.cancel(self._settle_seconds) for consumer in self._consumers))
        await self._publisher.drain()
        await asyncio.sleep(0)  # who waited for a confirm may now settle what it was about
        await self._loss.close()
        await asyncio.gather(
            *(consumer.close() for consumer in self._consumers), *(listener.cancel() for listener in self._listeners)
        )
        await self._publisher.close()
        if self._hints:
            await self._hints.close()
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    @property
    def is_ready(self) -> bool:
        """Whether a publish would have a chance now."""
        return self._publisher.is_ready

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Return for each message None when it was confirmed, or why it was not. Never raises; ends in 5 s."""
        return await self._publisher.publish(messages)

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        """Consume a work queue, across reconnections, until cancelled.

        Raises:
            KeyError: the table has no such queue.
        """
        if queue not in DESTINATIONS:  # asking for it again and again would look like a loss
            raise KeyError(queue)
        consumer = RabbitSubscription(self._turnstile, queue, on_messages, prefetch, priority)
        self._consumers.append(consumer)
        await consumer.wait_ready(START_SECONDS)
        return WorkSubscription(consumer, self._settle_seconds)

    def hint(self, body: bytes) -> None:
        """Tell every realtime instance; dropped when there is no connection."""
        if self._hints:
            self._hints.send(body)

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear the hints from now on."""
        listener = HintListener(self._consuming, on_hint)
        self._listeners.append(listener)
        await listener.wait_ready(START_SECONDS)
        return listener

    async def depths(self) -> dict[str, int]:
        """Count the messages that wait in each work queue and in the parking lot; empty when the broker is away."""
        connection = self._consuming.current or self._publishing.current
        if connection is None:
            return {}
        try:
            return await self._topology.depths(connection)
        except BrokerUnavailable as unavailable:
            log.warning("the queues could not be counted", extra={"reason": kind(unavailable)})
            if isinstance(unavailable, ChannelLost) and unavailable.code == NOT_FOUND:
                self._loss.suspect("a queue is missing")
            return {}

    async def _declare(self, connection: AsyncioConnection) -> None:
        """Make a new connection useful: a broker without our queues has lost what it held."""
        async with self._declaring:
            if await self._topology.declare(connection):
                self._loss.suspect("queues were missing")

    async def _repair(self) -> None:
        # The publishing connection may itself be stuck on a queue that is gone.
        connection = self._consuming.current or self._publishing.current
        if connection:
            async with self._declaring:
                await self._topology.declare(connection)
            for listener in self._listeners:
                await listener.bind_again()
