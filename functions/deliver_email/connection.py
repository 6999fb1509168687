"""One open connection to the mail server.

aiosmtplib connects, introduces us and logs in. Where the server takes several mails in one write, its transport then
goes to `Pipeline`; elsewhere aiosmtplib goes on, command by command. Its timeouts are switched off: whoever sends has
one deadline for everything, and a conversation that was broken off is never used again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import selectors
import time
from collections.abc import Callable, Sequence
from typing import cast

import aiosmtplib

from functions.deliver_email.answers import Phase, Progress
from functions.deliver_email.chunk import Chunk, Ending
from functions.deliver_email.envelope import Offered
from functions.deliver_email.pipeline import Exchange, Pipeline, cut

# Exim ends a session after 1,000 mails (smtp_accept_max_per_connection; it says so in LIMITS, RFC 9422), Postfix never.
# Who ends one sooner says 421, which costs a new connection and no attempt.
MAX_MAILS = 1000
MAX_IDLE_SECONDS = 20.0
GOODBYE_SECONDS = 1.0
RESTED_SECONDS = 1.0  # whoever rested longer is asked first: nothing but RSET may cross with the server's goodbye
ASKING_SECONDS = 5.0

POLLING: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)

SecondsLeft = Callable[[], float]

_MAILMAX = re.compile(r"\bMAILMAX=([1-9]\d{0,8})\b", re.IGNORECASE)


class Connection:
    """One open connection, introduced and logged in."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self._smtp = smtp
        self.offered = offered_by(smtp)
        self._max_mails = min(MAX_MAILS, self.offered.mails or MAX_MAILS)
        self.mails = 0  # that were begun on it
        self.idle_since = time.monotonic()
        self.needs_reset = False  # the server still holds half an envelope
        self.is_under_way = False  # a conversation is: who leaves it here must not come back
        self._news = POLLING()
        self._pipeline: Pipeline | None = None
        if self.offered.chunking and self.offered.pipelining and smtp.transport is not None:
            self._pipeline = Pipeline(cast(asyncio.Transport, smtp.transport))
            self._news.register(smtp.transport.get_extra_info("socket").fileno(), selectors.EVENT_READ)

    @property
    def is_pipelined(self) -> bool:
        """Whether several mails go in one write."""
        return self._pipeline is not None

    @property
    def is_fresh(self) -> bool:
        """Whether no mail was begun on it yet."""
        return self.mails == 0

    @property
    def mails_left(self) -> int:
        """How many mails may still go over it."""
        return self._max_mails - self.mails if self._smtp.is_connected and not self.is_under_way else 0

    def is_fit(self, now: float) -> bool:
        """Tell whether it may be kept for another mail."""
        return self.mails_left > 0 and now - self.idle_since < MAX_IDLE_SECONDS

    async def is_awake(self, seconds_left: SecondsLeft) -> bool:
        """Tell whether the server still listens, by asking it if this rested a while or something came meanwhile.

        What came may be a goodbye that the loop has not read yet. A mail in lock-step needs no such question: its own
        first command is one.
        """
        if self._pipeline is None or self.is_fresh:
            return True
        has_rested = time.monotonic() - self.idle_since >= RESTED_SECONDS
        if not self._smtp.is_connected or not (has_rested or self._news.select(0)):
            return self._smtp.is_connected
        self.is_under_way = True
        answer = await self._ask(b"RSET\r\n", min(seconds_left(), ASKING_SECONDS))
        if answer.startswith(b"2"):
            self.is_under_way = self.needs_reset = False
        return not self.is_under_way

    async def carry(self, chunk: Chunk, seconds_left: SecondsLeft, tell: Callable[[Sequence[Ending]], None]) -> None:
        """Write several mails at once, and tell which have ended as often as the server answers."""
        assert self._pipeline is not None
        exchange, pipeline, is_fresh = chunk.exchange, self._pipeline, self.is_fresh
        self.begin(len(chunk))
        timer = asyncio.get_running_loop().call_later(seconds_left(), pipeline.give_up)
        try:
            await pipeline.say(exchange, chunk.pieces, seconds_left)
            while True:
                await exchange.listen()
                if ended := chunk.endings(is_fresh=is_fresh):
                    tell(ended)
                if exchange.is_over:
                    break
        finally:
            timer.cancel()
        pipeline.end()
        is_whole = exchange.failure is None and exchange.given_bytes == chunk.size_bytes
        if is_whole and not chunk.is_closing:
            self.needs_reset, self.is_under_way = chunk.is_refused, False
        else:  # broken off, or answered before it was said: what is said next would be read as the rest of a text
            self.abort()
        self.idle_since = time.monotonic()

    def begin(self, mails: int) -> None:
        """Count mails; until their end is noted, the connection is good for nothing else."""
        self.mails += mails
        self.is_under_way = True

    async def command(self, *words: bytes) -> aiosmtplib.SMTPResponse:
        """Send one command in lock-step and wait for its answer, whatever it is."""
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
            cut(cast(asyncio.Transport, self._smtp.transport))
        self._smtp.close()

    def leave(self) -> None:
        """Say QUIT, and wait for nothing."""
        transport = self._smtp.transport
        if self._smtp.is_connected and transport is not None:
            cast(asyncio.WriteTransport, transport).write(b"QUIT\r\n")
        self._smtp.close()

    async def quit(self) -> None:
        """Say QUIT, and wait a moment for the answer."""
        if self._pipeline is not None:
            await self._ask(b"QUIT\r\n", GOODBYE_SECONDS)
        else:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await self._smtp.quit(timeout=GOODBYE_SECONDS)
        self.abort()

    async def _ask(self, command: bytes, seconds: float) -> bytes:
        """Say one command by the pipeline; return nothing where no answer came."""
        assert self._pipeline is not None
        exchange = Exchange(1)
        timer = asyncio.get_running_loop().call_later(seconds, self._pipeline.give_up)
        try:
            await self._pipeline.say(exchange, [command], lambda: seconds)
            await exchange.listen()
        finally:
            timer.cancel()
        self._pipeline.end()
        return exchange.replies[0] if exchange.replies else b""


def offered_by(smtp: aiosmtplib.SMTP) -> Offered:
    """Read what the server's answer to EHLO offers."""
    mails = _MAILMAX.search(smtp.esmtp_extensions.get("limits", ""))
    return Offered(
        chunking=smtp.supports_extension("chunking"),
        pipelining=smtp.supports_extension("pipelining"),
        size=smtp.supports_extension("size"),
        smtputf8=smtp.supports_extension("smtputf8"),
        eight_bit=smtp.supports_extension("8bitmime"),
        mails=int(mails[1]) if mails else None,
    )
