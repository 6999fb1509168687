"""Hints by way of a fanout exchange: not mandatory, not confirmed, heard by whoever listens now."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pika import BasicProperties
from pika.exceptions import AMQPError
from pika.spec import Basic

from shared.broker import topology
from shared.broker.protocol import OnHint
from shared.broker.rabbit_channel import NOT_FOUND, ChannelLost, KeptChannel, OpenChannel
from shared.broker.rabbit_connection import SupervisedConnection
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

TRANSIENT = BasicProperties(delivery_mode=1)  # type: ignore[no-untyped-call]


class HintSender:
    """Send hints on a channel of its own, so that they need no confirm and disturb none."""

    def __init__(self, connection: SupervisedConnection, suspect: Callable[[str], None]) -> None:
        self._connection = connection
        self._suspect = suspect
        self._channel = KeptChannel(connection, _nothing_to_prepare, self._lost)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until hints can be sent, at most so long."""
        await self._channel.wait_ready(timeout_seconds)

    def send(self, body: bytes) -> None:
        """Send one hint, or drop it when there is no connection."""
        channel = self._channel.current
        if channel and channel.raw.is_open and not self._connection.is_blocked:
            try:
                channel.raw.basic_publish(topology.HINTS, "", body, TRANSIENT)
            except AMQPError:
                log.debug("a hint was dropped")

    async def close(self) -> None:
        """Send no more."""
        await self._channel.close()

    async def _lost(self, reason: BrokerUnavailable) -> None:
        if isinstance(reason, ChannelLost) and reason.code == NOT_FOUND:
            self._suspect("the exchange of the hints is missing")


class HintListener:
    """Hear hints through a queue that exists only as long as this listener's channel."""

    def __init__(self, connection: SupervisedConnection, on_hint: OnHint) -> None:
        self._on_hint = on_hint
        self._queue = ""
        self._channel = KeptChannel(connection, self._prepare, _nothing_to_do)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until hints can be heard, at most so long."""
        await self._channel.wait_ready(timeout_seconds)

    async def cancel(self) -> None:
        """Hear no more."""
        await self._channel.close()

    async def bind_again(self) -> None:
        """Bind the queue to an exchange that was declared again: with the old one the binding went, unannounced.

        Raises:
            BrokerUnavailable: the channel or the connection is lost; the next channel binds by itself.
        """
        channel = self._channel.current
        if channel:
            await self._bind(channel)

    async def _prepare(self, channel: OpenChannel) -> None:
        declared = await channel.call(channel.raw.queue_declare, queue="", exclusive=True, auto_delete=True)
        self._queue = declared.method.queue
        await self._bind(channel)
        await channel.call(channel.raw.basic_consume, queue=self._queue, on_message_callback=self._hear, auto_ack=True)

    async def _bind(self, channel: OpenChannel) -> None:
        await channel.call(channel.raw.queue_bind, queue=self._queue, exchange=topology.HINTS)

    def _hear(self, _channel: object, _method: Basic.Deliver, _properties: BasicProperties, body: bytes) -> None:
        try:
            self._on_hint(body)
        except Exception:  # a bug of ours; the next hint may be heard
            log.exception("a hint could not be handed over")


async def _nothing_to_prepare(_channel: OpenChannel) -> None:
    pass


async def _nothing_to_do(_reason: BrokerUnavailable) -> None:
    pass
