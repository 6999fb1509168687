"""The wire of an SMTP server: bytes in, lines and texts out, answers back in order, TLS in between."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

MAX_MESSAGE_BYTES = 10 * 1024 * 1024
MAX_LINE_BYTES = 4096
TLS_HANDSHAKE_SECONDS = 5.0
_END = b"\r\n.\r\n"

Then = Callable[[], None]


class Wire(asyncio.Protocol):
    """One connection. Bytes wait in a buffer; the reader of the moment takes from it, one unit at a time.

    A text or a chunk that is too big is read to its end and handed on as None.
    """

    def __init__(self, latency_seconds: Callable[[], float]) -> None:
        self.transport: asyncio.Transport
        self.is_waiting = False  # an answer is still owed: nothing more is read, so answers keep their order
        self._latency_seconds = latency_seconds
        self._buffer = bytearray()
        self._answers: list[bytes] = []  # not sent yet: those to commands that came together leave together
        self._read: Callable[[], bool] = self._read_line
        self._upgrade: asyncio.Task[None] | None = None

    def on_line(self, line: str) -> None:
        """Take one line, without its end."""
        raise NotImplementedError

    def on_encrypted(self) -> None:
        """Begin anew: the connection is encrypted from here on."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the way back."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything that was not finished."""
        self.is_waiting = True
        self._buffer.clear()

    def data_received(self, data: bytes) -> None:
        """Take in what came, and work it off unless an answer is owed."""
        self._buffer += data
        if self.is_waiting and len(self._buffer) > MAX_MESSAGE_BYTES + MAX_LINE_BYTES:
            self.transport.abort()
        self._advance()

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is on."""
        return self.transport.get_extra_info("sslcontext") is not None

    def answer(self, line: str, then: Then | None = None, *, after_seconds: float = 0.0) -> None:
        """Send an answer, now or after the server's latency, then go on."""
        delay_seconds = after_seconds + self._latency_seconds()
        if delay_seconds:
            self.is_waiting = True
            asyncio.get_running_loop().call_later(delay_seconds, self._answer_late, line, then)
        else:
            self._say(line, then)

    def flush(self) -> None:
        """Send the answers that are held back."""
        answers, self._answers = self._answers, []
        if answers and not self.transport.is_closing():
            self.transport.write(b"".join(answers))

    def hang_up(self) -> None:
        """Close the connection, after what was said has left."""
        self.flush()
        self.transport.close()

    def cut(self) -> None:
        """Cut the connection, after what was said; what else the client wrote is never read."""
        self.flush()
        self.transport.abort()

    def take_next_line(self, on_line: Callable[[str], None]) -> None:
        """Hand the next line to somebody else."""

        def read() -> bool:
            line = self._cut_line()
            if line is None:
                return False
            self._read = self._read_line
            on_line(line)
            return True

        self._read = read

    def take_text(self, on_text: Callable[[bytes | None], None]) -> None:
        """Read up to the final dot, and undo the doubling of dots."""
        self._buffer[:0] = b"\r\n"  # so that a dot on the first line looks like every other
        scanned, is_too_big = 0, False

        def read() -> bool:
            nonlocal scanned, is_too_big
            end = self._buffer.find(_END, scanned)
            if end < 0:
                if len(self._buffer) > MAX_MESSAGE_BYTES:
                    is_too_big = True
                    del self._buffer[: -len(_END)]
                scanned = max(0, len(self._buffer) - len(_END))
                return False
            text = bytes(self._buffer[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:]
            del self._buffer[: end + len(_END)]
            self._read = self._read_line
            on_text(None if is_too_big else text)
            return True

        self._read = read

    def take_chunk(self, size_bytes: int, on_chunk: Callable[[bytes | None], None]) -> None:
        """Read so many bytes, whatever they are."""
        chunk, left = bytearray(), size_bytes

        def read() -> bool:
            nonlocal left
            taken = self._buffer[:left]
            del self._buffer[: len(taken)]
            left -= len(taken)
            if size_bytes <= MAX_MESSAGE_BYTES:
                chunk.extend(taken)
            if not left:
                self._read = self._read_line
                on_chunk(bytes(chunk) if size_bytes <= MAX_MESSAGE_BYTES else None)
            return not left

        self._read = read
        if not left:
            read()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Shake hands; nothing that came before counts (RFC 3207 4.2)."""
        self.flush()
        self.is_waiting = True
        self._buffer.clear()
        self._upgrade = asyncio.create_task(self._encrypt(context))

    async def _encrypt(self, context: ssl.SSLContext) -> None:
        loop, seconds = asyncio.get_running_loop(), TLS_HANDSHAKE_SECONDS
        try:
            encrypted = await loop.start_tls(
                self.transport, self, context, server_side=True, ssl_handshake_timeout=seconds
            )
        except OSError:  # the client left, or did not like our certificate
            encrypted = None
        if encrypted is None:
            self.transport.abort()
            return
        self.transport = encrypted
        self.is_waiting = False
        self.on_encrypted()
        self._advance()

    def _advance(self) -> None:
        while self._buffer and not self.is_waiting and not self.transport.is_closing():
            if not self._read():
                break
        self.flush()

    def _answer_late(self, line: str, then: Then | None) -> None:
        if not self.transport.is_closing():
            self.is_waiting = False
            self._say(line, then)
            self._advance()

    def _say(self, line: str, then: Then | None) -> None:
        self._answers.append(line.encode() + b"\r\n")
        if then:
            then()

    def _read_line(self) -> bool:
        line = self._cut_line()
        if line is not None:
            self.on_line(line)
        return line is not None

    def _cut_line(self) -> str | None:
        end = self._buffer.find(b"\n", 0, MAX_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_LINE_BYTES:
                self.answer("500 5.5.2 Line too long", self.hang_up)
            return None
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode(errors="replace")
        del self._buffer[: end + 1]
        return line
