"""When requests are sent: as soon as a connection is free, or when each is due, whatever became of the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

from infrastructure.bench.client import Connection, Posting, now

FIRST_CONNECTIONS, MOST_CONNECTIONS = 16, 512
LEAD_SECONDS = 0.05


class ClosedLoop:
    """So many connections; on each the next request follows the last answer."""

    def __init__(self, posting: Posting, connections: int) -> None:
        self._posting = posting
        self._connections = connections
        self._next = 0

    def start(self) -> None:
        """Begin."""
        self._posting.on_free = self._send
        for _ in range(self._connections):
            self._posting.connect()

    def _send(self, connection: Connection) -> None:
        number = self._next
        if number < len(self._posting.requests):
            self._next += 1
            self._posting.due[number] = now()
            connection.send(number)


class OpenLoop:
    """So many requests a second. One that finds no free connection waits, and its wait counts: it was due."""

    def __init__(self, posting: Posting, rate: float) -> None:
        self._posting = posting
        self._rate = rate
        self._free: list[Connection] = []
        self._waiting: deque[int] = deque()
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin."""
        self._posting.on_free = self._take
        for _ in range(min(FIRST_CONNECTIONS, len(self._posting.requests))):
            self._posting.connect()
        # A thread of its own sleeps: the loop's timers are good to a millisecond only, which is much of a latency here.
        threading.Thread(target=self._pace, daemon=True).start()

    def _pace(self) -> None:
        began = now() + LEAD_SECONDS
        for number in range(len(self._posting.requests)):
            due = began + number / self._rate
            time.sleep(max(0.0, due - now()))
            try:
                self._loop.call_soon_threadsafe(self._release, number, due)
            except RuntimeError:  # the run was given up and the loop is closed
                return

    def _release(self, number: int, due: float) -> None:
        self._posting.due[number] = due
        while self._free:
            connection = self._free.pop()
            if connection.is_open:
                connection.send(number)
                return
        self._waiting.append(number)
        if self._posting.width < MOST_CONNECTIONS:
            self._posting.connect()

    def _take(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)
