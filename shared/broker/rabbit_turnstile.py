"""Begin to consume, one queue at a time: a queue that lost its leader for good ends the connection of all the others.

RabbitMQ (seen on 3.10) answers basic.consume on such a quorum queue with 541, which names no queue and closes the
connection. As only one consumer begins at a time, the queue that it meant is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from shared.broker.rabbit_channel import BrokerFailed, OpenChannel
from shared.broker.rabbit_connection import SupervisedConnection
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

FAILURES_TO_DELETE = 3
"""So many 541 in a row on one queue: a node that starts, or an election, may cause one."""


class QueueDeleted(BrokerUnavailable):
    """A queue that could not be consumed was deleted. It can be consumed once it is declared again."""


class Turnstile:
    """The way into one connection for its consumers. `suspect` is told of every sign that a queue was lost."""

    def __init__(self, connection: SupervisedConnection, suspect: Callable[[str], None]) -> None:
        self.connection = connection
        self.suspect = suspect
        self._turn = asyncio.Lock()
        self._failures: Counter[str] = Counter()

    async def consume(self, channel: OpenChannel, queue: str, **how: Any) -> None:
        """Begin to consume a queue, or delete it if the broker fails at it again and again.

        What it held is given up: nobody could read it, and the rows still owe it.

        Raises:
            QueueDeleted: it had failed too often.
            BrokerUnavailable: the channel or the connection is lost.
        """
        async with self._turn:
            if self._failures[queue] >= FAILURES_TO_DELETE:
                await self._delete(channel, queue)
            try:
                await channel.call(channel.raw.basic_consume, queue=queue, **how)
            except BrokerFailed:
                self._failures[queue] += 1
                raise
            del self._failures[queue]

    async def _delete(self, channel: OpenChannel, queue: str) -> None:
        del self._failures[queue]  # first: if it cannot be deleted, it may still be consumed one day
        await channel.call(channel.raw.queue_delete, queue=queue)
        log.warning("%s could not be consumed, and was deleted to be declared again", queue)
        self.suspect("a queue could not be consumed")
        raise QueueDeleted(queue)
