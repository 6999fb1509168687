"""Connections to the mail server, kept open between mails.

aiosmtplib has no pool, and one of its objects is one connection. Its timeouts are switched off: whoever sends has one
deadline for everything, and a conversation that was broken off is never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import aiosmtplib

from functions.deliver_email.answers import Phase, Progress
from functions.deliver_email.relay import Encryption, Relay

MAX_MAILS = 100  # relays end a session after some hundred mails; go first, between two of them
MAX_IDLE_SECONDS = 20.0
GOODBYE_SECONDS = 1.0

STARTTLS: dict[Encryption, bool | None] = {  # in aiosmtplib's terms: None is "if the server offers it"
    Encryption.FROM_THE_START: False,
    Encryption.REQUIRED: True,
    Encryption.WHEN_OFFERED: None,
}


class Connection:
    """One open connection. Commands are sent one by one, and each answer is the caller's to judge."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self._smtp = smtp
        self.mails = 0
        self.idle_since = time.monotonic()
        self.needs_reset = False  # the server still holds half an envelope

    def is_fit(self, now: float) -> bool:
        """Tell whether another mail may go over it."""
        return self._smtp.is_connected and self.mails < MAX_MAILS and now - self.idle_since < MAX_IDLE_SECONDS

    def offers(self, extension: str) -> bool:
        """Tell whether the server offers an extension."""
        return self._smtp.supports_extension(extension)

    async def command(self, *words: bytes) -> aiosmtplib.SMTPResponse:
        """Send one command and wait for its answer, whatever it is."""
        return await self._smtp.execute_command(*words, timeout=None)

    async def deliver(self, message: bytes, progress: Progress) -> aiosmtplib.SMTPResponse:
        """Send the text with its final dot and wait for the answer: from here on the server may have the mail.

        Not the library's own call: that one fails alike before and after the text has left.
        """
        protocol, transport = self._smtp.protocol, self._smtp.transport
        if protocol is None or transport is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        protocol.write(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        progress.phase = Phase.FINAL_DOT
        try:
            return await protocol.read_response()
        except BaseException:
            writer = cast(asyncio.WriteTransport, transport)
            if not writer.is_closing() and writer.get_write_buffer_size() > 0:
                progress.phase = Phase.DATA  # the dot is still here, and `abort` throws it away
            raise

    def abort(self) -> None:
        """Let go at once. Closing would wait for a peer that does not read, and might still send it the dot."""
        if self._smtp.transport is not None:
            cast(asyncio.WriteTransport, self._smtp.transport).abort()
        self._smtp.close()

    def leave(self) -> None:
        """Say QUIT, and wait for nothing."""
        if self._smtp.is_connected and self._smtp.protocol is not None:
            self._smtp.protocol.write(b"QUIT\r\n")
        self._smtp.close()

    async def quit(self) -> None:
        """Say QUIT, and wait a moment for the answer."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await self._smtp.quit(timeout=GOODBYE_SECONDS)
        self.abort()


class Connections:
    """At most `size` connections; the one used last is used next, so that spare ones grow old and go."""

    def __init__(self, relay: Relay, size: int, local_hostname: str) -> None:
        self._relay = relay
        self._local_hostname = local_hostname  # without it the library asks the DNS for our own name
        self._slots = asyncio.Semaphore(size)
        self._free: list[Connection] = []
        self._tls_context: ssl.SSLContext | None = None
        self._is_closed = False

    @asynccontextmanager
    async def lend(self, progress: Progress, *, is_fresh: bool = False) -> AsyncIterator[Connection]:
        """Lend a connection, an open one unless it must be fresh. One that fails, or is left by force, is cut."""
        async with self._slots:
            kept = None if is_fresh else self._take()
            progress.is_reused = kept is not None
            connection = kept or await self._open(progress)
            try:
                yield connection
            except BaseException:
                connection.abort()
                raise
            self._give_back(connection)

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

    def _give_back(self, connection: Connection) -> None:
        now = connection.idle_since = time.monotonic()
        if self._is_closed or not connection.is_fit(now):
            connection.leave()
            return
        self._free.append(connection)
        while not self._free[0].is_fit(now):  # the oldest is at the bottom, where nobody takes it
            self._free.pop(0).leave()

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
        connection = Connection(smtp)
        try:
            await smtp.connect()
            await self._introduce(smtp, progress)
        except BaseException:
            connection.abort()
            raise
        return connection

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
