"""Publish lists of messages: persistent, mandatory, confirmed, pipelined, each with a deadline."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any

from pika import BasicProperties
from pika.exceptions import AMQPChannelError, AMQPConnectionError
from pika.spec import Basic

from shared.broker import topology
from shared.broker.protocol import Message, PublishRefused
from shared.broker.rabbit_channel import NOT_FOUND, ChannelLost, KeptChannel, OpenChannel
from shared.broker.rabbit_connection import SupervisedConnection, resolve
from shared.broker.rabbit_frames import Confirm
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 5.0
STUCK_SECONDS = 4.0
MAX_IN_FLIGHT = 1000
MAX_WAITING = 50_000

EXCHANGES = {0: topology.EXCHANGE} | {seconds: topology.delay(seconds) for seconds in topology.DELAYS_SECONDS}
DESTINATIONS = frozenset({*topology.WORK_QUEUES, topology.PARKING_LOT})


class Batch:
    """One list under way. All its bookkeeping is here, so that a message costs no task and no future of its own."""

    __slots__ = ("_open", "done", "messages", "next", "outcomes")

    def __init__(self, messages: Sequence[Message], done: asyncio.Future[None]) -> None:
        self.messages = messages
        self.outcomes: list[PublishRefused | None] = [None] * len(messages)
        self.done = done
        self.next = 0  # the first message that was not sent yet
        self._open: set[int] | None = set(range(len(messages)))

    def settle(self, index: int, outcome: PublishRefused | None) -> None:
        """Note what came of one message; the first outcome counts."""
        if not self._open or index not in self._open:
            return
        self._open.discard(index)
        self.outcomes[index] = outcome
        if not self._open:
            resolve(self.done, None)

    def refuse_rest(self, reason: str) -> None:
        """Refuse what has no outcome yet. The broker may have it all the same: the row is still owed."""
        for index in self._open or ():
            self.outcomes[index] = PublishRefused(reason)
        self._open = None
        resolve(self.done, None)

    @property
    def has_more(self) -> bool:
        """Whether a message is still to be sent, and somebody still waits for it."""
        return self.next < len(self.messages) and not self.done.done()


class Publisher:
    """One channel with confirms. `suspect` is told when a message found no queue."""

    def __init__(self, connection: SupervisedConnection, suspect: Callable[[str], None]) -> None:
        self._connection = connection
        self._suspect = suspect
        self._waiting: deque[Batch] = deque()
        self._waiting_count = 0
        self._in_flight: dict[int, tuple[Batch, int]] = {}  # by delivery tag, in the order of sending
        self._returned: dict[tuple[str, str, str], int] = {}
        self._tag = 0
        self._progress_at = 0.0  # the last confirm, or the first message sent after a lull
        self._is_stopping = False
        self._channel: KeptChannel | None = None
        connection.when_unblocked(self._pump)

    def start(self) -> None:
        """Begin to want a channel."""
        self._channel = KeptChannel(self._connection, self._prepare, self._lost)

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until publishing is possible, at most so long."""
        if self._channel:
            await self._channel.wait_ready(timeout_seconds)

    @property
    def is_ready(self) -> bool:
        """Whether a message would be sent at once."""
        return bool(self._channel and self._channel.current and not self._connection.is_blocked)

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Send and wait for the confirms, five seconds at most; return one outcome per message, in order."""
        if not messages:
            return []
        if self._is_stopping:
            return [PublishRefused("this process publishes no more") for _ in messages]
        if self._waiting_count + len(messages) > MAX_WAITING:
            return [PublishRefused("too many messages wait to be published") for _ in messages]
        loop = asyncio.get_running_loop()
        batch = Batch(messages, loop.create_future())
        self._waiting.append(batch)
        self._waiting_count += len(messages)
        timer = loop.call_later(DEADLINE_SECONDS, self._expire, batch)
        try:
            self._pump()
            await batch.done
        finally:
            timer.cancel()
            self._waiting_count -= len(messages)
        return batch.outcomes

    async def drain(self) -> None:
        """Take no more, and wait for the confirms under way; the deadline of each list bounds it."""
        self._is_stopping = True
        waiting = {batch.done for batch in (*self._waiting, *(batch for batch, _ in self._in_flight.values()))}
        if waiting:
            await asyncio.wait(waiting, timeout=DEADLINE_SECONDS)

    async def close(self) -> None:
        """Let the channel go, and refuse what is left."""
        if self._channel:
            await self._channel.close()
        self._forget("this process publishes no more")
        for batch in self._waiting:
            batch.refuse_rest("this process publishes no more")
        self._waiting.clear()

    async def _prepare(self, channel: OpenChannel) -> None:
        self._forget("the connection was lost before the confirm")
        channel.raw.add_on_return_callback(self._on_return)
        await channel.call(channel.raw.confirm_delivery, ack_nack_callback=self._on_frame)
        channel.hear(Confirm, self._on_confirm)
        asyncio.get_running_loop().call_soon(self._pump)  # once the channel is the current one

    async def _lost(self, reason: BrokerUnavailable) -> None:
        self._forget("the connection was lost before the confirm")
        if isinstance(reason, ChannelLost) and reason.code == NOT_FOUND:
            self._suspect("an exchange is missing")

    def _forget(self, reason: str) -> None:
        """Refuse what is in flight: whether the broker has it is unknown, and tags begin anew on the next channel."""
        lost, self._in_flight = self._in_flight, {}
        self._returned.clear()
        self._tag = 0
        for batch, index in lost.values():
            batch.settle(index, PublishRefused(reason))

    def _expire(self, batch: Batch) -> None:
        """Refuse what was not confirmed in time, and leave a connection on which nothing is confirmed any more.

        A publisher may wait for ever for the credit of a queue that was deleted (seen on 3.10); its heart goes on
        beating, so nobody else would notice.
        """
        batch.refuse_rest("not confirmed in time")
        is_stuck = self._in_flight and asyncio.get_running_loop().time() - self._progress_at >= STUCK_SECONDS
        if is_stuck and not self._connection.is_blocked:
            log.warning("no confirm for %s seconds: connecting anew", STUCK_SECONDS)
            self._connection.cut()

    def _pump(self) -> None:
        """Send what waits, as far as the broker takes it."""
        channel = self._channel.current if self._channel else None
        if channel is None or self._connection.is_blocked or not channel.raw.is_open:
            return
        try:
            while self._waiting and len(self._in_flight) < MAX_IN_FLIGHT:
                batch = self._waiting[0]
                if batch.has_more:
                    self._send(channel, batch)
                else:
                    self._waiting.popleft()
        except (
            AMQPConnectionError,
            AMQPChannelError,
        ):  # the line went down under our hands; its end is announced on the next turn
            return

    def _send(self, channel: OpenChannel, batch: Batch) -> None:
        message = batch.messages[batch.next]
        exchange = EXCHANGES.get(message.delay_seconds)
        if exchange is None or message.queue not in DESTINATIONS:
            # Refused here: in a delay queue it would wait for nobody, and a missing exchange costs the channel.
            batch.settle(batch.next, PublishRefused("no such queue or delay"))
        else:
            try:
                channel.write(exchange, message.queue, message.id, message.body)
            except (AMQPConnectionError, AMQPChannelError):
                raise
            except Exception:  # such as an id of more than 255 bytes: it must not hold up the others for ever
                log.exception("a message could not be written", extra={"queue": message.queue})
                batch.settle(batch.next, PublishRefused("it could not be written"))
            else:
                if not self._in_flight:
                    self._progress_at = asyncio.get_running_loop().time()
                self._tag += 1
                self._in_flight[self._tag] = (batch, batch.next)
        batch.next += 1

    def _on_return(self, _channel: object, method: Basic.Return, properties: BasicProperties, _body: bytes) -> None:
        """Remember a message that found no queue: its acknowledgement follows, and means nothing."""
        returned = (str(properties.message_id), method.exchange, method.routing_key)
        self._returned[returned] = self._returned.get(returned, 0) + 1
        self._suspect("a message found no queue")

    def _on_frame(self, frame: Any) -> None:
        method = frame.method
        self._on_confirm(Confirm(method.delivery_tag, method.multiple, isinstance(method, Basic.Nack)))

    def _on_confirm(self, confirm: Confirm) -> None:
        self._progress_at = asyncio.get_running_loop().time()
        tags = list(takewhile(confirm.tag.__ge__, self._in_flight)) if confirm.multiple else [confirm.tag]
        for each in tags:
            self._settle(each, refused=confirm.refused)
        self._pump()

    def _settle(self, tag: int, *, refused: bool) -> None:
        found = self._in_flight.pop(tag, None)
        if found is None:
            return
        batch, index = found
        if refused:
            batch.settle(index, PublishRefused("the broker refused it"))
        elif self._returned and self._was_returned(batch.messages[index]):
            batch.settle(index, PublishRefused("the message found no queue"))
        else:
            batch.settle(index, None)

    def _was_returned(self, message: Message) -> bool:
        key = (message.id, EXCHANGES[message.delay_seconds], message.queue)
        count = self._returned.get(key, 0)
        if count > 1:
            self._returned[key] = count - 1
        else:
            self._returned.pop(key, None)
        return count > 0
