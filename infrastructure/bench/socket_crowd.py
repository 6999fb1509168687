"""Ten thousand people with an open inbox each, in one process: the least that a WebSocket's client can be.

A library's client costs more than the server that is measured. This one knows text, ping and close, and what comes from
our own server; it sends nothing but pongs.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from datetime import datetime

PORTS_EACH = 20_000
"""Of one address. Linux hands out some 28,000."""
AT_ONCE = 200
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, CONNECT_SECONDS = 2.0, 30.0, 10.0
"""As the component for web pages has them."""
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455's own example: nobody here checks the answer to it."""


class Follower:
    """One person's client. It keeps which messages came and when, and resumes behind the last one."""

    def __init__(self, number: int, host: str, port: int, changed: Callable[[], None], *, is_deaf: bool) -> None:
        self.user, self.cursors, self.arrived = f"person-{number}", list[int](), dict[int, float]()
        self.put_at: dict[int, float] = {}
        self.connection: Connection | None = None
        self.last = 0
        self.changed = changed
        self._local = (f"127.0.0.{2 + number // PORTS_EACH}", 0)
        self._host, self._port = host, port
        self._is_deaf = is_deaf
        self._is_wanted = True

    @property
    def is_open(self) -> bool:
        """Whether it was let in."""
        return self.connection is not None and self.connection.is_open

    async def open(self) -> None:
        """Connect, again and again with growing pauses, until there is somebody."""
        pause = FIRST_PAUSE_SECONDS
        while self._is_wanted and self.connection is None:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await asyncio.get_running_loop().create_connection(
                        lambda: Connection(self), self._host, self._port, local_addr=self._local
                    )
            except OSError:  # a timeout is one, too
                await asyncio.sleep(pause * random.random())  # noqa: S311 - jitter
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def cut(self) -> None:
        """Lose the connection, without a word."""
        if self.connection:
            self.connection.cut()

    def leave(self) -> None:
        """End."""
        self._is_wanted = False
        self.cut()

    def lost(self) -> None:
        """Come back, unless it was meant."""
        self.connection = None
        if self._is_wanted:
            asyncio.get_running_loop().create_task(self._come_back())

    async def _come_back(self) -> None:
        await asyncio.sleep(random.uniform(0.0, FIRST_PAUSE_SECONDS))  # noqa: S311 - jitter
        await self.open()

    def hear(self, frame: dict[str, object]) -> None:
        """Keep a message."""
        if frame["type"] != "notification":
            return
        self.last = cursor = int(str(frame["cursor"]))
        if self._is_deaf:
            self._is_deaf = False
            return
        self.cursors.append(cursor)
        self.arrived[cursor] = time.time()
        self.put_at[cursor] = datetime.fromisoformat(str(frame["created_at"])).timestamp()
        self.changed()


class Connection(asyncio.Protocol):
    """One connection of a follower. One that comes when there is another, after a try that was given up, goes."""

    def __init__(self, follower: Follower) -> None:
        self.is_open = False
        self._follower = follower
        self._transport: asyncio.Transport | None = None
        self._data = b""

    def cut(self) -> None:
        """Lose it, without a word."""
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the inbox, behind what is here already."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._follower.connection is not None:
            transport.abort()
            return
        self._follower.connection = self
        ask = (
            f"GET /ws/{self._follower.user}?since={self._follower.last} HTTP/1.1\r\nHost: localhost\r\n"
            f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n\r\n"
        )
        transport.write(ask.encode())
        # Where too many come at once the system lets them wait half connected, for a minute and longer.
        asyncio.get_running_loop().call_later(CONNECT_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.is_open:
            self.cut()

    def data_received(self, data: bytes) -> None:
        """Read what came, frame by frame."""
        self._data += data
        if not self.is_open:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            self._data = rest
            if not head.startswith(b"HTTP/1.1 101"):
                self.cut()
                return
            self.is_open = True
            self._follower.changed()
        while (frame := self._next()) is not None:
            self._take(*frame)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the follower, if it was the one."""
        self.is_open = False
        if self._follower.connection is self:
            self._follower.lost()

    def _next(self) -> tuple[int, bytes] | None:
        """Take one frame from what is here: opcode and payload. Our server masks nothing and splits nothing."""
        data = self._data
        if len(data) < 2:
            return None
        size, begin = data[1], 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(data[2:begin])
        if len(data) < begin + size:
            return None
        self._data = data[begin + size :]
        return data[0] & 0x0F, data[begin : begin + size]

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._follower.hear(json.loads(payload))
        elif opcode == PING and self._transport:
            self._transport.write(bytes((0x80 | PONG, 0x80 | len(payload), 0, 0, 0, 0)) + payload)
        elif opcode == CLOSE:
            self.cut()


class Crowd:
    """All of them."""

    def __init__(self, count: int, host: str, port: int, *, deaf: int = 0) -> None:
        self._changed = asyncio.Event()
        self.people = [
            Follower(number, host, port, self._changed.set, is_deaf=number < deaf) for number in range(count)
        ]

    async def open(self, deadline_seconds: float) -> None:
        """Let all of them in, a few hundred at a time.

        Raises:
            TimeoutError: some were not.
        """
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(follower: Follower) -> None:
            async with turn:
                await follower.open()

        async with asyncio.timeout(deadline_seconds):
            await asyncio.gather(*[one(follower) for follower in self.people])
        await self.until(lambda follower: follower.is_open, deadline_seconds)

    def cut(self) -> None:
        """Cut everybody off at once; each comes back by itself."""
        for follower in self.people:
            follower.cut()

    def leave(self) -> None:
        """End."""
        for follower in self.people:
            follower.leave()

    async def until(self, is_so: Callable[[Follower], bool], deadline_seconds: float) -> int:
        """Wait until something is true of everybody; return of how many it is not when the time is over."""
        left = set(self.people)
        try:
            async with asyncio.timeout(deadline_seconds):
                while left := {follower for follower in left if not is_so(follower)}:
                    self._changed.clear()
                    await self._changed.wait()
                    await asyncio.sleep(0.02)  # what comes together is looked at together
        except TimeoutError:
            pass
        return len(left)


def with_gaps(people: Iterable[Follower], expected: int) -> int:
    """Count those who have anything but each message once, in order."""
    return sum(follower.cursors != list(range(1, expected + 1)) for follower in people)
