"""Declare the table of `shared/broker/topology.py` on a RabbitMQ."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from pika.adapters.asyncio_connection import AsyncioConnection

from shared.broker import topology
from shared.broker.rabbit_channel import NOT_FOUND, ChannelLost, OpenChannel

log = logging.getLogger(__name__)

OURS_TO_ACCEPT = {
    403: "this user may not declare it",
    405: "somebody holds it for himself",
    406: "it exists with other arguments",
}
"""Answers after which what exists is used as it is: somebody else's table may still carry our messages."""


class Topology:
    """The table, and what of it could not be declared as it says."""

    def __init__(self, queues: Callable[[], list[topology.Queue]] = topology.queues) -> None:
        self._queues = queues
        self._complained_of: set[str] = set()

    async def declare(self, connection: AsyncioConnection) -> bool:
        """Declare everything that the table says; tell whether a queue was missing before.

        Raises:
            BrokerUnavailable: the connection is lost, or does not answer.
        """
        was_missing = await self._is_any_missing(connection)
        channel = await OpenChannel.open(connection)
        for exchange in topology.exchanges():
            channel = await self._attempt(
                connection,
                channel,
                "exchange_declare",
                exchange=exchange.name,
                exchange_type=exchange.kind,
                durable=True,
            )
        for queue in self._queues():
            channel = await self._attempt(
                connection, channel, "queue_declare", queue=queue.name, durable=True, arguments=queue.arguments
            )
            channel = await self._attempt(
                connection,
                channel,
                "queue_bind",
                queue=queue.name,
                exchange=queue.exchange,
                routing_key=queue.routing_key,
            )
        channel.close()
        return was_missing

    async def depths(self, connection: AsyncioConnection) -> dict[str, int]:
        """Count the messages that wait in each work queue and in the parking lot.

        Raises:
            ChannelLost: one of the queues does not exist.
            BrokerUnavailable: the connection is lost, or does not answer.
        """
        channel = await OpenChannel.open(connection)
        counts = {}
        try:
            for name in (*topology.WORK_QUEUES, topology.PARKING_LOT):
                answer = await channel.call(channel.raw.queue_declare, queue=name, passive=True)
                counts[name] = int(answer.method.message_count)
        finally:
            channel.close()
        return counts

    async def _is_any_missing(self, connection: AsyncioConnection) -> bool:
        channel = await OpenChannel.open(connection)  # a throw-away: the answer "missing" closes it
        try:
            for queue in self._queues():
                await channel.call(channel.raw.queue_declare, queue=queue.name, passive=True)
        except ChannelLost as lost:
            if lost.code == NOT_FOUND:
                return True
            if lost.code not in OURS_TO_ACCEPT:
                raise
        finally:
            channel.close()
        return False

    async def _attempt(
        self, connection: AsyncioConnection, channel: OpenChannel, action: str, **arguments: Any
    ) -> OpenChannel:
        """Declare one thing; return the channel to go on with, a new one if the answer was a refusal."""
        try:
            await channel.call(getattr(channel.raw, action), **arguments)
        except ChannelLost as lost:
            if lost.code not in OURS_TO_ACCEPT:
                raise
            name = str(arguments.get("queue") or arguments.get("exchange"))
            if name not in self._complained_of:
                self._complained_of.add(name)
                log.error("%s is used as it is: %s", name, OURS_TO_ACCEPT[lost.code])
            return await OpenChannel.open(connection)
        return channel
