"""The wire of a connection on which much is said before it is answered (RFC 2920).

It takes the transport over from aiosmtplib, which waits for each answer. Replies are cut out of what was read in one
pass, and whoever asked is woken once for all that one read brought.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable

from functions.deliver_email.answers import AnswerGarbled

MAX_REPLY_BYTES = 32_768  # far more than any server says; a line has 512 (RFC 5321 4.5.3.1.5)


class Exchange:
    """What was said in one go, and what came back so far."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.replies: list[bytes] = []  # each whole, the lines of a long one joined
        self.given_bytes = 0  # handed to the transport
        self.kept_bytes = 0  # of these, so many at least never left
        self.failure: Exception | None = None
        self._news: asyncio.Future[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come."""
        return self.failure is not None or len(self.replies) >= self.expected

    async def listen(self) -> None:
        """Wait until there is more to know."""
        heard = len(self.replies)
        while not self.is_over and len(self.replies) == heard:
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    def wake(self) -> None:
        """Let the listener look."""
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class Pipeline(asyncio.Protocol):
    """One connection's wire."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._is_encrypted = transport.get_extra_info("sslcontext") is not None
        self._exchange: Exchange | None = None
        self._rest = b""  # a line that has not ended
        self._opening = b""  # the lines of a reply that goes on
        self._is_paused = False
        self._resumed: asyncio.Future[None] | None = None
        # So that the transport tells exactly whether something of ours is still here. Not 0: asyncio's TLS takes that
        # for "always full".
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether something can be said."""
        return not self._transport.is_closing()

    async def say(self, exchange: Exchange, pieces: Iterable[bytes], seconds_left: Callable[[], float]) -> None:
        """Write the pieces, none after the time is up; what comes back gathers in the exchange.

        The clock is asked right before each piece, and a piece waits until the one before has left: this process may
        have been stopped in between, and what a transport holds it sends without asking.
        """
        self._exchange = exchange
        for piece in pieces:
            if self._is_paused and not exchange.is_over:
                self._resumed = asyncio.get_running_loop().create_future()
                await self._resumed
            if exchange.is_over:
                return
            if not self.is_open:
                self._fail(ConnectionResetError("the connection was lost"))
            elif seconds_left() <= 0:
                self._fail(TimeoutError())
            else:
                exchange.given_bytes += len(piece)
                self._transport.write(piece)

    def give_up(self) -> None:
        """End the exchange for want of time."""
        self._fail(TimeoutError())

    def end(self) -> None:
        """Forget the exchange: whatever comes from now on was not asked for."""
        self._exchange = None

    def cut(self) -> None:
        """Let go at once. What has not left must not leave any more: somebody was told so.

        uvloop hands its buffer on to libuv, which may write until the handle is closed, a turn of the loop later.
        """
        cut(self._transport)

    def data_received(self, data: bytes) -> None:
        """Cut replies out of what came."""
        exchange = self._exchange
        if exchange is None:  # a goodbye, or out of step: either way it cannot be used again
            self._transport.abort()
            return
        if exchange.is_over:
            self.cut()
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if not line[:3].isdigit() or len(self._opening) > MAX_REPLY_BYTES:
                self._fail(AnswerGarbled())
                return
            if line[3:4] == b"-":
                self._opening += line + b"\n"
            elif self._opening:
                exchange.replies.append(self._opening + line)
                self._opening = b""
            else:
                exchange.replies.append(line)
        if len(self._rest) > MAX_REPLY_BYTES:
            self._fail(AnswerGarbled())
        elif exchange.is_over and (self._rest or self._opening or len(exchange.replies) > exchange.expected):
            self.cut()  # more than was asked for: a goodbye, or out of step
        if exchange.is_over:
            self._resume()
        exchange.wake()

    def eof_received(self) -> None:
        """Take a closed side for a closed connection, while it can still be seen what had left."""
        self._fail(ConnectionResetError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End what was under way."""
        self._fail(exc or ConnectionResetError("the connection was lost"))

    def pause_writing(self) -> None:
        """Note that not everything has left."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on with the next piece."""
        self._is_paused = False
        self._resume()

    def _resume(self) -> None:
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)

    def _fail(self, failure: Exception) -> None:
        exchange = self._exchange
        if exchange is not None and not exchange.is_over:
            exchange.failure = failure
            exchange.kept_bytes = self._kept_bytes()
            exchange.wake()
        self.cut()
        self._resume()

    def _kept_bytes(self) -> int:
        """Count what certainly never left: rather too little, for whatever left may have arrived."""
        if self._transport.is_closing():  # the transport has thrown its buffer away
            return 1 if self._is_paused else 0
        kept = self._transport.get_write_buffer_size()
        if kept and self._is_encrypted:  # a record of 16 kB is at most 256 bytes longer than what is in it (RFC 8446)
            return max(1, kept - kept // 64 - 512)
        return kept


def cut(transport: asyncio.Transport) -> None:
    """Abort a connection so that nothing leaves any more, not even what libuv was given to write."""
    if not transport.is_closing() and transport.get_write_buffer_size() > 0:
        ours = transport.get_extra_info("socket")
        with contextlib.suppress(OSError), socket.fromfd(ours.fileno(), ours.family, ours.type) as same:
            same.shutdown(socket.SHUT_RDWR)
    transport.abort()
