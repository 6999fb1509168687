"""Channels: one in hand whose every answer has a deadline, and one that is opened again whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker, ChannelWrongStateError, ConnectionClosedByBroker

from shared.broker.rabbit_connection import SupervisedConnection, backoff_seconds, end, kind, resolve
from shared.broker.rabbit_frames import Confirm, Delivery, write
from shared.broker.rabbit_wire import Wire
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
NOT_FOUND = 404
INTERNAL_ERROR = 541


class ChannelLost(BrokerUnavailable):
    """A channel ended. `code` is what the broker gave as reason, 0 if it was not the broker."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class ConsumerCancelled(ChannelLost):
    """The broker ended a consumer: its queue was deleted, or is out of reach."""

    def __init__(self) -> None:
        super().__init__(NOT_FOUND, "the broker cancelled the consumer")


class ConsumerForgotten(ChannelLost):
    """Messages wait in a queue of ours, and the broker knows of nobody who consumes it."""

    def __init__(self) -> None:
        super().__init__(0, "the broker knows the consumer no more")


class BrokerFailed(ChannelLost):
    """The broker failed at something that one channel asked for, and ended the connection with all its channels."""

    def __init__(self) -> None:
        super().__init__(0, "the broker failed")


class OpenChannel:
    """A channel in hand, with its end as a future."""

    __slots__ = ("_opened", "_wire", "ended", "raw")

    def __init__(self, connection: Wire) -> None:
        loop = asyncio.get_running_loop()
        self._wire = connection
        self.ended: asyncio.Future[ChannelLost] = loop.create_future()
        self._opened: asyncio.Future[Any] = loop.create_future()
        self.raw: Channel = connection.channel(on_open_callback=lambda channel: resolve(self._opened, channel))
        self.raw.add_on_close_callback(lambda _channel, reason: resolve(self.ended, _as_loss(reason)))
        self.raw.add_on_cancel_callback(lambda _frame: resolve(self.ended, ConsumerCancelled()))

    @classmethod
    async def open(cls, connection: Wire) -> Self:
        """Open a channel.

        Raises:
            BrokerUnavailable: the connection is lost, or does not answer.
        """
        try:
            channel = cls(connection)
        except AMQPError as failure:
            raise BrokerUnavailable(kind(failure)) from failure
        await channel._answer(channel._opened)
        return channel

    async def call(self, ask: Callable[..., object], **arguments: Any) -> Any:
        """Ask the broker something and wait for its answer.

        Raises:
            ChannelLost: it answered by closing the channel.
            BrokerUnavailable: the connection is lost, or does not answer.
        """
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            ask(callback=lambda frame: resolve(answered, frame), **arguments)
        except AMQPError as failure:
            raise BrokerUnavailable(kind(failure)) from failure
        return await self._answer(answered)

    async def _answer(self, answered: asyncio.Future[Any]) -> Any:
        await asyncio.wait({answered, self.ended}, timeout=ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
        if self.ended.done():
            raise self.ended.result()
        raise BrokerUnavailable("the broker did not answer in time")

    def hear(self, what: type[Delivery] | type[Confirm], hear: Callable[[Any], None]) -> None:
        """Have what comes on this channel handed over by the short way, until the channel ends."""
        number: int = self.raw.channel_number
        self._wire.hears(number, what, hear)
        self.raw.add_on_close_callback(lambda *_: self._wire.forget(number))

    def write(self, exchange: str, queue: str, message_id: str, body: bytes) -> None:
        """Publish by the short way: persistent, mandatory.

        Raises:
            ChannelWrongStateError: the channel is not open; nothing was written.
            ValueError: the id is too long; nothing was written.
        """
        if not self.raw.is_open:
            raise ChannelWrongStateError("the channel is not open")
        self._wire.write(write(self.raw.channel_number, exchange, queue, message_id, body, self._wire.params.frame_max))

    def give_up(self, reason: ChannelLost) -> None:
        """End the use of the channel."""
        resolve(self.ended, reason)

    def close(self) -> None:
        """Ask the broker to close the channel; what was not settled on it is delivered again."""
        if self.raw.is_open:
            with suppress(AMQPError):
                self.raw.close()


def _as_loss(reason: Exception) -> ChannelLost:
    if isinstance(reason, ChannelClosedByBroker):
        return ChannelLost(reason.reply_code, reason.reply_text)
    if isinstance(reason, ConnectionClosedByBroker) and reason.reply_code == INTERNAL_ERROR:
        return BrokerFailed()
    return ChannelLost(0, kind(reason))


Prepare = Callable[[OpenChannel], Awaitable[None]]
OnEnd = Callable[[BrokerUnavailable], Awaitable[None]]


class KeptChannel:
    """Keep one channel open across lost channels and connections.

    `prepare` makes a new one ready for use; `on_end` hears why a channel, or the attempt to have one, ended.
    """

    def __init__(self, connection: SupervisedConnection, prepare: Prepare, on_end: OnEnd) -> None:
        self._connection = connection
        self._prepare = prepare
        self._on_end = on_end
        self._ready = asyncio.Event()
        self.current: OpenChannel | None = None
        self._task = asyncio.create_task(self._keep())

    async def wait_ready(self, timeout_seconds: float) -> None:
        """Wait until there is a channel, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._ready.wait()

    async def close(self) -> None:
        """Let the channel go, for good."""
        await end(self._task)

    async def _keep(self) -> None:
        failures = 0
        while True:
            connection = await self._connection.opened()
            try:
                await self._use(connection)
            except BrokerUnavailable as lost:
                failures = 0 if self._ready.is_set() else failures + 1
                self._ready.clear()
                await self._on_end(lost)
            except Exception:  # a bug must not end the keeping
                failures += 1
                log.exception("a channel could not be kept")
            await asyncio.sleep(backoff_seconds(failures))

    async def _use(self, connection: Wire) -> None:
        channel = await OpenChannel.open(connection)
        try:
            await self._prepare(channel)
            self.current = channel
            self._ready.set()
            await asyncio.wait({channel.ended})
            raise channel.ended.result()
        finally:
            self.current = None
            channel.close()
