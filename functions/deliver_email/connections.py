"""The connections to the mail server: opened as needed, kept between mails, let go in time."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from typing import cast

import aiosmtplib

from functions.deliver_email.answers import Phase, Progress
from functions.deliver_email.connection import Connection
from functions.deliver_email.pace import Pace
from functions.deliver_email.pipeline import cut
from functions.deliver_email.relay import Encryption, Relay

AT_FIRST = 4
RELUCTANT_SECONDS = 10.0

STARTTLS: dict[Encryption, bool | None] = {  # in aiosmtplib's terms: None is "if the server offers it"
    Encryption.FROM_THE_START: False,
    Encryption.REQUIRED: True,
    Encryption.WHEN_OFFERED: None,
}


class Connections:
    """At most `size` connections; the one used last is used next, so that spare ones grow old and go.

    A server may allow fewer. Where a new connection fails while others are open, no mail fails for it: whoever wanted
    it waits for one of those, and no other is tried for ten seconds.
    """

    def __init__(self, relay: Relay, size: int, local_hostname: str) -> None:
        self.size = size
        self.pace = Pace()
        self._relay = relay
        self._local_hostname = local_hostname  # without it the library asks the DNS for our own name
        self._free: list[Connection] = []
        self._lent = 0
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._enough_until = 0.0
        self._tls_context: ssl.SSLContext | None = None
        self._is_closed = False

    @property
    def inviting(self) -> int:
        """How many may want a connection now: a few more than are open, so that the first tell how many it takes."""
        return min(self.size, AT_FIRST + 2 * self.open)

    @property
    def open(self) -> int:
        """How many connections are open."""
        return self._lent + len(self._free)

    async def borrow(self, progress: Progress, *, is_fresh: bool = False) -> Connection:
        """Lend a connection, an open one unless it must be fresh; waits while there are enough. To be given back."""
        if self._waiting:
            await self._wait()
        while True:
            kept = None if is_fresh else self._take()
            if kept is None and self._may_open(is_fresh=is_fresh):
                kept = await self._try_to_open(progress)
            if kept is not None:
                self._lent += 1
                return kept
            is_fresh = False
            progress.phase = Phase.WAITING
            await self._wait()

    def give_back(self, connection: Connection) -> None:
        """Take a connection back. One that was left in the middle of a conversation is cut."""
        self._lent -= 1
        if connection.is_under_way:
            connection.abort()
        now = connection.idle_since = time.monotonic()
        if self._is_closed or not connection.is_fit(now):
            connection.leave()
        else:
            self._free.append(connection)
            while not self._free[0].is_fit(now):  # the oldest is at the bottom, where nobody takes it
                self._free.pop(0).leave()
        self._wake()

    async def close(self) -> None:
        """Let go of every idle connection; those in use go when their mail is done."""
        self._is_closed = True
        free, self._free = self._free, []
        await asyncio.gather(*[connection.quit() for connection in free])

    def _take(self) -> Connection | None:
        now = time.monotonic()
        while self._free:
            connection = self._free.pop()
            if connection.is_fit(now):
                return connection
            connection.leave()
        return None

    def _may_open(self, *, is_fresh: bool) -> bool:
        if self.open and time.monotonic() < self._enough_until:
            return False
        if is_fresh and self._free and self.open + self._opening >= self.size:
            self._free.pop(0).leave()
        return self.open + self._opening < self.size

    async def _try_to_open(self, progress: Progress) -> Connection | None:
        self._opening += 1
        try:
            connection = await self._open(progress)
        except (aiosmtplib.SMTPException, OSError):
            if not self.open:
                raise
            self._enough_until = time.monotonic() + RELUCTANT_SECONDS
            return None
        finally:
            self._opening -= 1
            self._wake()
        self.pace.is_lock_step = not connection.is_pipelined
        return connection

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake()
            raise

    def _wake(self) -> None:
        """Let the first who waits look again."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _open(self, progress: Progress) -> Connection:
        progress.phase = Phase.CONNECT
        relay = self._relay
        smtp = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.encryption is Encryption.FROM_THE_START,
            start_tls=STARTTLS[relay.encryption],
            tls_context=await self._tls(),
            local_hostname=self._local_hostname,
            timeout=None,
        )
        try:
            await smtp.connect()
            await self._introduce(smtp, progress)
            return Connection(smtp)
        except BaseException:
            if smtp.transport is not None:
                cut(cast(asyncio.Transport, smtp.transport))
            smtp.close()
            raise

    async def _introduce(self, smtp: aiosmtplib.SMTP, progress: Progress) -> None:
        if smtp.is_ehlo_or_helo_needed:  # TLS has begun: what was said before it does not count
            await smtp.ehlo()
        if self._relay.user is not None:
            progress.phase = Phase.LOGIN
            try:
                await smtp.login(self._relay.user, self._relay.password or "")
            except ValueError as broken:  # a challenge that is not base64
                raise aiosmtplib.SMTPResponseException(-1, "the challenge made no sense") from broken

    async def _tls(self) -> ssl.SSLContext:
        if self._tls_context is None:
            self._tls_context = await asyncio.to_thread(self._relay.tls_context)
        return self._tls_context
