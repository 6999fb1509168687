"""An HTTP client that costs next to nothing: whole requests, written as they are, one at a time on a connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import cast

import httptools

CUT = 0
RECONNECT_SECONDS = 0.01

now = time.monotonic


class Posting:
    """Requests on their way over a few connections, and what became of each. `on_free` is given what may be sent on."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes]) -> None:
        self.requests = requests
        self.due = [0.0] * len(requests)
        self.sent = [0.0] * len(requests)
        self.answered = [0.0] * len(requests)
        self.statuses = [CUT] * len(requests)
        self.bodies = [b""] * len(requests)
        self.ended = 0
        self.connections: set[Connection] = set()
        self.over = asyncio.get_running_loop().create_future()
        self.on_free: Callable[[Connection], None] = lambda connection: None
        self._host, self._port = host, port
        self._connecting: set[asyncio.Task[object]] = set()
        self._is_closed = False

    @property
    def width(self) -> int:
        """How many connections there are, or will be soon."""
        return len(self.connections) + len(self._connecting)

    def connect(self) -> None:
        """Open one more connection."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(loop.create_connection(lambda: Connection(self), self._host, self._port))
        self._connecting.add(task)
        task.add_done_callback(self._connected)

    def end(self, number: int, status: int, body: bytes) -> None:
        """Note what a request was answered."""
        self.answered[number] = now()
        self.statuses[number] = status
        self.bodies[number] = body
        self.ended += 1
        if self.ended == len(self.requests) and not self.over.done():
            self.over.set_result(None)

    def replace(self) -> None:
        """Open another connection for one that is lost."""
        if not self._is_closed:
            asyncio.get_running_loop().call_later(RECONNECT_SECONDS, self.connect)

    async def close(self) -> None:
        """Let every connection go."""
        self._is_closed = True
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)  # a transport that is aborted lets go in the loop's next turn

    def _connected(self, task: asyncio.Task[object]) -> None:
        self._connecting.discard(task)
        if not task.cancelled() and task.exception():
            self.replace()


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, posting: Posting) -> None:
        self._posting = posting
        self._number: int | None = None
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_open(self) -> bool:
        """Whether a request may go over it."""
        return not self._transport.is_closing()

    def abort(self) -> None:
        """Let go at once."""
        self._transport.abort()

    def send(self, number: int) -> None:
        """Send a request."""
        self._number = number
        self._posting.sent[number] = now()
        self._transport.write(self._posting.requests[number])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say that a request may go over it."""
        self._transport = cast(asyncio.Transport, transport)
        self._posting.connections.add(self)
        self._posting.on_free(self)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        """Keep a part of the answer's body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Note the answer, and take the next request."""
        number, body = self._number, self._body
        self._number, self._body = None, b""
        if number is not None:
            self._posting.end(number, self._parser.get_status_code(), body)
        if self._parser.should_keep_alive():
            self._posting.on_free(self)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a request that was under way as cut off."""
        self._posting.connections.discard(self)
        if self._number is not None:
            self._posting.end(self._number, CUT, b"")
        self._posting.replace()
