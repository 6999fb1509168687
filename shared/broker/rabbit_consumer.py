"""Consume a work queue, across lost channels and connections."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from shared.broker.protocol import OnMessages
from shared.broker.rabbit_channel import (
    NOT_FOUND,
    ChannelLost,
    ConsumerCancelled,
    ConsumerForgotten,
    KeptChannel,
    OpenChannel,
)
from shared.broker.rabbit_connection import end
from shared.broker.rabbit_desk import Desk
from shared.broker.rabbit_frames import Delivery
from shared.broker.rabbit_presence import look_after
from shared.broker.rabbit_turnstile import Turnstile
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

_SIGNS: dict[type[BrokerUnavailable], str] = {
    ConsumerCancelled: "the broker cancelled a consumer",
    ConsumerForgotten: "a queue that is consumed has no consumer",
}
"""What a lost channel says of its queue."""


class RabbitSubscription:
    """A consumer that lives across reconnections until cancelled."""

    def __init__(
        self, turnstile: Turnstile, queue: str, on_messages: OnMessages, prefetch: int, priority: int = 0
    ) -> None:
        self._turnstile = turnstile
        self._queue = queue
        self._on_messages = on_messages
        self._prefetch = prefetch
        self._arguments = {"x-priority": priority} if priority else None
        self._desk: Desk | None = None
        self._consumer_tag = ""
        self._is_cancelled = False
        self._letting_go: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._channel = KeptChannel(turnstile.connection, self._prepare, self._lost)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until messages can come, at most so long."""
        await self._channel.wait_ready(timeout_seconds)

    async def cancel(self, settle_seconds: float) -> None:
        """Take no more. What is in hand may be settled for so long; then it is delivered again."""
        if self._is_cancelled:
            return
        self._is_cancelled = True
        await end(self._looking)
        if self._desk and self._channel.current:
            self._desk.close()
            await self._tell_broker(self._channel.current)
        self._letting_go = asyncio.create_task(self._let_go(settle_seconds))

    async def close(self) -> None:
        """Tell the broker what was settled, and end at once."""
        self._is_cancelled = True
        await end(self._letting_go)
        if self._desk:
            self._desk.flush()
        await self._channel.close()

    async def _tell_broker(self, channel: OpenChannel) -> None:
        try:
            await channel.call(channel.raw.basic_cancel, consumer_tag=self._consumer_tag)
        except BrokerUnavailable:
            log.debug("the consumer was gone already", extra={"queue": self._queue})

    async def _let_go(self, settle_seconds: float) -> None:
        if self._desk:
            with suppress(TimeoutError):
                async with asyncio.timeout(settle_seconds):
                    await self._desk.is_empty.wait()
        await self._channel.close()

    async def _prepare(self, channel: OpenChannel) -> None:
        if self._is_cancelled:
            raise BrokerUnavailable("cancelled")
        desk = Desk(self._queue, channel, self._on_messages, self._prefetch)
        self._desk = desk
        self._consumer_tag = f"carillon-{id(desk):x}"
        await channel.call(channel.raw.basic_qos, prefetch_count=self._prefetch)
        channel.hear(Delivery, desk.take)
        await self._turnstile.consume(
            channel,
            self._queue,
            on_message_callback=desk.take_from_pika,
            consumer_tag=self._consumer_tag,
            arguments=self._arguments,
        )
        if not self._is_cancelled:
            self._looking = asyncio.create_task(look_after(channel, self._queue))

    async def _lost(self, reason: BrokerUnavailable) -> None:
        if self._desk:
            self._desk.abandon()
        if sign := _SIGNS.get(type(reason)):
            self._turnstile.suspect(sign)
        elif isinstance(reason, ChannelLost) and reason.code == NOT_FOUND:
            self._turnstile.suspect("a queue is missing")
        elif isinstance(reason, ChannelLost) and reason.code:
            log.warning("lost a channel", extra={"queue": self._queue, "code": reason.code})
