"""What a RabbitMQ says of itself, for whoever looks whether all is well. Nothing is made that was not there.

Bindings and policies cannot be asked for over AMQP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pika.exceptions import AMQPError

from shared.broker import topology
from shared.broker.rabbit_channel import NOT_FOUND, ChannelLost, OpenChannel
from shared.broker.rabbit_connection import cut, parameters_for, resolve
from shared.broker.rabbit_topology import OURS_TO_ACCEPT
from shared.broker.rabbit_wire import Wire
from shared.errors import BrokerUnavailable

CONNECT_SECONDS = 6.0
CONFIRM_SECONDS = 3.0

_REASONS = {
    "ProbableAuthenticationError": "the user or the password is wrong",
    "AuthenticationError": "the user or the password is wrong",
    "ProbableAccessDeniedError": "this user may not enter the virtual host, or there is none of that name",
    "ConnectionRefusedError": "nothing listens there",
    "gaierror": "the host is not known",
    "SSLError": "TLS failed",
    "SSLCertVerificationError": "its certificate is not trusted",
    "TimeoutError": "there was no answer in time",
    "AMQPConnectorStackTimeout": "there was no answer in time",
    "IncompatibleProtocolError": "what answers is no RabbitMQ",
}
"""What pika's errors mean; their own words hold addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue that is there."""

    name: str
    messages: int
    consumers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What was found, next to the table of `topology.py`; `different` says of each name why it is not as it should be.

    `takes_messages` is False while an alarm stops publishers.
    """

    product: str
    version: str
    queues: tuple[QueueFacts, ...]
    missing: tuple[str, ...]
    different: dict[str, str]
    takes_messages: bool


async def examine(url: str, queues: Callable[[], list[topology.Queue]] = topology.queues) -> BrokerFacts:
    """Look at a broker once.

    Raises:
        BrokerUnavailable: why it cannot be looked at, without any part of the address.
    """
    connection = await _connect(url)
    try:
        look = _Look(connection)
        for exchange in topology.exchanges():
            await look.at(
                exchange.name, "exchange_declare", {"exchange": exchange.name}, {"exchange_type": exchange.kind}
            )
        for queue in queues():
            answer = await look.at(queue.name, "queue_declare", {"queue": queue.name}, {"arguments": queue.arguments})
            if answer is not None:
                counts = answer.method
                look.queues.append(
                    QueueFacts(name=queue.name, messages=counts.message_count, consumers=counts.consumer_count)
                )
        said = connection.server_properties or {}
        return BrokerFacts(
            product=str(said.get("product", "")),
            version=str(said.get("version", "")),
            queues=tuple(look.queues),
            missing=tuple(dict.fromkeys(look.missing)),
            different=look.different,
            takes_messages=await _takes_messages(connection),
        )
    finally:
        cut(connection)


class _Look:
    """Compare what is there with the table: first whether it is there, and only then whether it is as it should be.

    To declare what exists changes nothing; what it answers says whether the arguments are the same.
    """

    def __init__(self, connection: Wire) -> None:
        self._connection = connection
        self.missing: list[str] = []
        self.different: dict[str, str] = {}
        self.queues: list[QueueFacts] = []

    async def at(self, name: str, action: str, which: dict[str, Any], how: dict[str, Any]) -> Any:
        """Return what the broker says of it, None if it is not there."""
        found = await self._try(name, action, {**which, "passive": True})
        if found is not None:
            await self._try(name, action, {**which, "durable": True, **how})
        return found

    async def _try(self, name: str, action: str, arguments: dict[str, Any]) -> Any:
        channel = await OpenChannel.open(self._connection)
        try:
            return await channel.call(getattr(channel.raw, action), **arguments)
        except ChannelLost as lost:
            if lost.code == NOT_FOUND:
                self.missing.append(name)
            elif lost.code in OURS_TO_ACCEPT:
                self.different[name] = OURS_TO_ACCEPT[lost.code]
            else:
                raise
            return None
        finally:
            channel.close()


async def _takes_messages(connection: Wire) -> bool:
    """Publish one empty message to a queue of our own, which goes with it: an alarm is told to publishers alone."""
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    channel = await OpenChannel.open(connection)
    try:
        queue = (await channel.call(channel.raw.queue_declare, queue="", exclusive=True, auto_delete=True)).method.queue
        await channel.call(channel.raw.confirm_delivery, ack_nack_callback=lambda _frame: resolve(answered, None))
        channel.raw.basic_publish(exchange="", routing_key=queue, body=b"")
        await asyncio.wait({answered}, timeout=CONFIRM_SECONDS)
        return answered.done()
    finally:
        channel.close()


async def _connect(url: str) -> Wire:
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def failed(_connection: object, reason: BaseException | str) -> None:
        if not opened.done():
            opened.set_exception(BrokerUnavailable(_why(reason)))

    try:
        connection = Wire(
            parameters_for(url, "carillon doctor"),
            on_open_callback=lambda _connection: resolve(opened, None),
            on_open_error_callback=failed,
            on_close_callback=failed,
        )
    except (AMQPError, ValueError, TypeError, LookupError):
        raise BrokerUnavailable("the address is malformed") from None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await opened
    except TimeoutError:
        cut(connection)
        raise BrokerUnavailable("there was no answer in time") from None
    return connection


def _why(reason: BaseException | str) -> str:
    known = (_REASONS[type(one).__name__] for one in _unfolded(reason) if type(one).__name__ in _REASONS)
    return next(known, reason if isinstance(reason, str) else type(reason).__name__)


def _unfolded(reason: object, depth: int = 0) -> Iterator[object]:
    """List an error and those it was made of, the innermost first: pika wraps them twice."""
    if depth < 6:
        inner = [getattr(reason, "exception", None), getattr(reason, "__cause__", None)]
        for one in [*getattr(reason, "exceptions", ()), *inner, *getattr(reason, "args", ())]:
            if isinstance(one, BaseException):
                yield from _unfolded(one, depth + 1)
    yield reason
