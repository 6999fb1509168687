"""A server that speaks as much AMQP as a consumer hears, and fails at queues as RabbitMQ 3.10 does: with 541."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pika.frame
import pika.spec

from shared.broker import topology

frame: Any = pika.frame  # neither is typed
spec: Any = pika.spec

FOR_EVER = 1_000_000
BODY = b"{}"
CAPABILITIES = {"publisher_confirms": True, "basic.nack": True, "consumer_cancel_notify": True}


class AmqpServer:
    """Every queue of the table is there and holds one message, which each new consumer gets.

    `failures` says how often basic.consume on a queue is yet answered with 541, unless the queue is deleted before.
    What is in `forgotten` has messages and no consumer, whoever began to consume it, until somebody begins anew.
    What is in `leaderless` seems to have neither.
    """

    def __init__(self) -> None:
        self.port = 0
        self.queues = {queue.name for queue in topology.queues()}
        self.failures: Counter[str] = Counter()
        self.failed: list[str] = []
        self.forgotten: set[str] = set()
        self.leaderless: set[str] = set()
        self.looks: Counter[str] = Counter()
        self.acknowledgements = 0
        self.delete_asks: list[str] = []
        self.refuses_deletion = self.declares_anew = False
        self._lines: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The address for AMQP."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def cut(self) -> None:
        """Drop every line."""
        for line in self._lines:
            line.close()

    async def serve(self, reader: asyncio.StreamReader, line: asyncio.StreamWriter) -> None:
        """Answer one client, method by method."""
        self._lines.add(line)
        await reader.readexactly(8)
        _write(line, 0, spec.Connection.Start(server_properties={"capabilities": CAPABILITIES}))
        unread = b""
        while arrived := await reader.read(65_536):
            unread += arrived
            while (decoded := frame.decode_frame(unread))[0]:
                unread = unread[decoded[0] :]
                if isinstance(decoded[1], frame.Method):
                    self._answer(line, decoded[1].channel_number, decoded[1].method)
        self._lines.discard(line)
        line.close()

    def _answer(self, line: asyncio.StreamWriter, channel: int, method: Any) -> None:
        if type(method) in PLAIN_ANSWERS:
            _write(line, channel, PLAIN_ANSWERS[type(method)]())
        elif isinstance(method, spec.Queue.Declare):
            self._declare(line, channel, method)
        elif isinstance(method, spec.Queue.Delete):
            self._delete(line, channel, method.queue)
        elif isinstance(method, spec.Basic.Cancel):
            _write(line, channel, spec.Basic.CancelOk(method.consumer_tag))
        elif isinstance(method, spec.Basic.Ack):
            self.acknowledgements += 1
        elif isinstance(method, spec.Basic.Consume):
            # Later, so that whoever asks for several at once is heard before the first is answered.
            asyncio.get_running_loop().call_soon(self._consume, line, channel, method)

    def _declare(self, line: asyncio.StreamWriter, channel: int, method: Any) -> None:
        if method.passive and method.queue not in self.queues:
            _write(line, channel, spec.Channel.Close(404, "NOT_FOUND", 50, 10))
            return
        self.queues.add(method.queue)
        self.looks[method.queue] += 1
        is_forgotten = method.queue in self.forgotten
        consumers = int(not is_forgotten and method.queue not in self.leaderless)
        _write(line, channel, spec.Queue.DeclareOk(method.queue, int(is_forgotten), consumers))

    def _delete(self, line: asyncio.StreamWriter, channel: int, queue: str) -> None:
        self.delete_asks.append(queue)
        if self.refuses_deletion:
            _write(line, channel, spec.Channel.Close(403, "ACCESS_REFUSED", 50, 40))
            return
        if not self.declares_anew:  # as another process may, before who deleted it comes to it
            self.queues.discard(queue)
        del self.failures[queue]
        _write(line, channel, spec.Queue.DeleteOk(0))

    def _consume(self, line: asyncio.StreamWriter, channel: int, method: Any) -> None:
        if line not in self._lines:  # nothing is said after the word that closes a connection
            return
        if method.queue not in self.queues:
            _write(line, channel, spec.Channel.Close(404, "NOT_FOUND", 60, 20))
        elif self.failures[method.queue]:
            self.failures[method.queue] -= 1
            self.failed.append(method.queue)
            _write(line, 0, spec.Connection.Close(541, "INTERNAL_ERROR", 0, 0))
            self._lines.discard(line)
        else:
            self.forgotten.discard(method.queue)
            _write(line, channel, spec.Basic.ConsumeOk(method.consumer_tag))
            _write(line, channel, spec.Basic.Deliver(method.consumer_tag, 1, exchange="", routing_key=method.queue))
            properties = spec.BasicProperties(message_id=method.queue)
            line.write(frame.Header(channel, len(BODY), properties).marshal() + frame.Body(channel, BODY).marshal())


PLAIN_ANSWERS: dict[type, Callable[[], Any]] = {
    spec.Connection.StartOk: lambda: spec.Connection.Tune(2047, 131_072, 0),
    spec.Connection.Open: spec.Connection.OpenOk,
    spec.Connection.Close: spec.Connection.CloseOk,
    spec.Channel.Open: spec.Channel.OpenOk,
    spec.Channel.Close: spec.Channel.CloseOk,
    spec.Confirm.Select: spec.Confirm.SelectOk,
    spec.Exchange.Declare: spec.Exchange.DeclareOk,
    spec.Queue.Bind: spec.Queue.BindOk,
    spec.Basic.Qos: spec.Basic.QosOk,
}


def _write(line: asyncio.StreamWriter, channel: int, method: Any) -> None:
    line.write(frame.Method(channel, method).marshal())


@asynccontextmanager
async def amqp_server() -> AsyncIterator[AmqpServer]:
    """Listen on a port of loopback for a while."""
    told = AmqpServer()
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.port = server.sockets[0].getsockname()[1]
    yield told
    told.cut()
    server.close()
    await server.wait_closed()
