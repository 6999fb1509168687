"""The sink's side of an SMTP conversation (RFC 5321, 2920 pipelining, 3030 chunking). It takes everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from infrastructure.bench.matching import Mail
from infrastructure.bench.parcels import find_mark

GREETING, TAKEN, OK = b"220 sink ESMTP\r\n", b"250 2.0.0 taken\r\n", b"250 2.0.0 ok\r\n"
UNKNOWN, MALFORMED = b"500 5.5.1 unknown command\r\n", b"501 5.5.4 malformed\r\n"
END = b"\r\n.\r\n"


@dataclass(kw_only=True)
class Sink:
    """What was taken, and how the sink behaves. What it is to swallow it takes and forgets, as no server should."""

    latency_seconds: float = 0.0
    chunking: bool = True
    pipelining: bool = True
    swallow: int = 0
    mails: list[Mail] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)

    @property
    def extensions(self) -> bytes:
        """The answer to EHLO."""
        offered = ["sink", "SIZE 10485760", "8BITMIME", "SMTPUTF8"]
        offered += ["PIPELINING"] if self.pipelining else []
        offered += ["CHUNKING"] if self.chunking else []
        lines = [f"250-{line}" for line in offered[:-1]] + [f"250 {offered[-1]}"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def take(self, recipient: str, text: bytes) -> None:
        """Keep when a mail came, its mark and its recipient."""
        if self.swallow:
            self.swallow -= 1
            return
        mark = find_mark(text)
        self.mails.append(Mail(time.monotonic(), mark, recipient))
        self.marks.add(mark)

    def forget(self) -> None:
        """Begin anew."""
        self.mails.clear()
        self.marks.clear()


class Session(asyncio.Protocol):
    """One conversation. Answers to what came together leave together."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._answers: list[bytes] = []
        self._recipient = ""
        self._text = bytearray()
        self._read: Callable[[], bool] = self._read_line
        self._is_waiting = False
        self._chunk_bytes = 0
        self._is_last_chunk = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        """Obey."""
        self._buffer += data
        if not self._is_waiting:
            self._advance()

    def _advance(self) -> None:
        while self._buffer and not self._is_waiting and self._read():
            pass
        if self._answers:
            self._transport.write(b"".join(self._answers))
            self._answers.clear()

    def _read_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        command = COMMANDS.get(line[:4].upper())
        if command:
            command(self, line)
        else:
            self._answers.append(UNKNOWN)
        return True

    def _ehlo(self, line: bytes) -> None:
        self._answers.append(self._sink.extensions)

    def _ok(self, line: bytes) -> None:
        self._answers.append(OK)

    def _rcpt(self, line: bytes) -> None:
        self._recipient = line[line.find(b"<") + 1 : line.rfind(b">")].decode(errors="replace")
        self._answers.append(OK)

    def _data(self, line: bytes) -> None:
        self._answers.append(b"354 go ahead\r\n")
        self._read = self._read_text

    def _read_text(self) -> bool:
        if self._buffer.startswith(END[2:]):
            end, size = 0, len(END) - 2
        else:
            end, size = self._buffer.find(END), len(END)
        if end < 0:
            return False
        text = bytes(self._buffer[:end])
        del self._buffer[: end + size]
        self._read = self._read_line
        self._finish(text)
        return True

    def _bdat(self, line: bytes) -> None:
        words = line.split()
        if len(words) < 2 or not words[1].isdigit() or not self._sink.chunking:
            self._answers.append(MALFORMED)
            return
        self._chunk_bytes, self._is_last_chunk = int(words[1]), len(words) > 2
        self._read = self._read_chunk
        if not self._chunk_bytes:
            self._read_chunk()

    def _read_chunk(self) -> bool:
        if len(self._buffer) < self._chunk_bytes:
            return False
        self._text += self._buffer[: self._chunk_bytes]
        del self._buffer[: self._chunk_bytes]
        self._read = self._read_line
        if self._is_last_chunk:
            text = bytes(self._text)
            self._text.clear()
            self._finish(text)
        else:
            self._answers.append(OK)
        return True

    def _finish(self, text: bytes) -> None:
        self._sink.take(self._recipient, text)
        if self._sink.latency_seconds:
            self._is_waiting = True
            asyncio.get_running_loop().call_later(self._sink.latency_seconds, self._answer_late)
        else:
            self._answers.append(TAKEN)

    def _answer_late(self) -> None:
        self._is_waiting = False
        if not self._transport.is_closing():
            self._answers.append(TAKEN)
            self._advance()

    def _reset(self, line: bytes) -> None:
        self._text.clear()
        self._answers.append(OK)

    def _quit(self, line: bytes) -> None:
        self._transport.write(b"".join(self._answers) + b"221 2.0.0 bye\r\n")
        self._answers.clear()
        self._transport.close()


COMMANDS: dict[bytes, Callable[[Session, bytes], None]] = {
    b"EHLO": Session._ehlo,
    b"HELO": Session._ok,
    b"MAIL": Session._ok,
    b"RCPT": Session._rcpt,
    b"DATA": Session._data,
    b"BDAT": Session._bdat,
    b"RSET": Session._reset,
    b"NOOP": Session._ok,
    b"QUIT": Session._quit,
}
