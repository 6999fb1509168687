"""Send one e-mail by SMTP, and tell honestly what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import aiosmtplib

from functions.deliver_email.address import AddressMalformed, Sender, check_address
from functions.deliver_email.answers import PROVIDER, Phase, Progress, judge, judge_silence, refuse
from functions.deliver_email.connections import Connection, Connections
from functions.deliver_email.mime import Composer, HeaderRefused
from functions.deliver_email.relay import Relay
from shared.outcomes import Letter, Outcome
from shared.statuses import OutcomeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A composed letter with its envelope: one recipient, so that an answer is about nobody else."""

    recipient: bytes
    message: bytes
    is_utf8: bool  # the address needs SMTPUTF8 (RFC 6531)


class SmtpProvider:
    """A mail server, spoken to over a few connections that are kept open."""

    name = PROVIDER

    def __init__(self, url: str, sender: str, connections: int = 10, deadline_seconds: float = 20) -> None:
        """Read the settings; connect to nothing yet.

        Raises:
            SettingMissing: the URL or the sender is malformed.
        """
        who = Sender.parse(sender)
        self.deadline_seconds: float = deadline_seconds
        self.calls_at_once = 4 * connections  # while some are spoken to, others are claimed and recorded
        self._composer = Composer(who)
        self._envelope_sender = b"FROM:<" + who.address.encode() + b">"
        self._connections = Connections(Relay.parse(url), connections, local_hostname=who.domain)

    async def send(self, letter: Letter) -> Outcome:
        """Make one attempt, within the deadline, whatever the server does.

        Cancelling it cuts the connection: nobody may find half an answer on it.
        """
        try:
            check_address(letter.address)
            message = self._composer.compose(letter)
        except AddressMalformed as malformed:
            return refuse("address malformed", str(malformed))
        except HeaderRefused as refused:
            return refuse("header refused", f"the {refused} header would hold a line break or a malformed value")
        mail = Mail(recipient=letter.address.encode(), message=message, is_utf8=not letter.address.isascii())
        outcome = await self._attempt(mail)
        if outcome.kind is OutcomeKind.ACCEPTED:
            return replace(outcome, provider_message_id=self._composer.message_id(letter))
        return outcome

    async def close(self) -> None:
        """Let go of connections."""
        await self._connections.close()

    async def _attempt(self, mail: Mail) -> Outcome:
        progress = Progress()
        try:
            async with asyncio.timeout(self.deadline_seconds):
                return await self._converse(mail, progress)
        except aiosmtplib.SMTPResponseException as answer:
            return judge(progress.phase, answer.code, answer.message)
        except (aiosmtplib.SMTPException, OSError) as failure:  # TimeoutError is an OSError
            return judge_silence(progress.phase, failure)

    async def _converse(self, mail: Mail, progress: Progress) -> Outcome:
        try:
            async with self._connections.lend(progress) as connection:
                return await self._hand_over(connection, mail, progress)
        except (aiosmtplib.SMTPException, OSError):
            if not progress.may_start_over:
                raise
        progress.phase = Phase.WAITING
        async with self._connections.lend(progress, is_fresh=True) as connection:
            return await self._hand_over(connection, mail, progress)

    async def _hand_over(self, connection: Connection, mail: Mail, progress: Progress) -> Outcome:
        progress.phase = Phase.SENDER
        if mail.is_utf8 and not connection.offers("smtputf8"):
            return refuse("no smtputf8", "the server takes no address beyond ASCII")
        if connection.needs_reset:
            _expect(2, await connection.command(b"RSET"))
            connection.needs_reset = False
        reply = await connection.command(b"MAIL", self._envelope_sender, *_options(connection, mail))
        if reply.code == 421 and progress.is_reused:  # the session's limit, not the server's: a new one will do
            raise aiosmtplib.SMTPServerDisconnected("the session was ended")
        if refusal := _refusal(Phase.SENDER, 2, reply):
            return refusal
        connection.needs_reset = True
        progress.phase = Phase.RECIPIENT
        if refusal := _refusal(Phase.RECIPIENT, 2, await connection.command(b"RCPT", b"TO:<" + mail.recipient + b">")):
            return refusal
        progress.phase = Phase.DATA
        if refusal := _refusal(Phase.DATA, 3, await connection.command(b"DATA")):
            return refusal
        reply = await connection.deliver(mail.message, progress)
        connection.needs_reset = False  # whatever the answer, it ends the envelope
        connection.mails += 1
        return _refusal(Phase.FINAL_DOT, 2, reply) or judge(Phase.FINAL_DOT, *reply)


def _options(connection: Connection, mail: Mail) -> list[bytes]:
    """Tell the server what it can use: the size, to refuse it early, and that addresses go beyond ASCII."""
    options = [b"SIZE=%d" % len(mail.message)] if connection.offers("size") else []
    if not mail.is_utf8:
        return options
    return [*options, b"SMTPUTF8", b"BODY=8BITMIME"] if connection.offers("8bitmime") else [*options, b"SMTPUTF8"]


def _refusal(phase: Phase, expected: int, reply: aiosmtplib.SMTPResponse) -> Outcome | None:
    if reply.code // 100 in {4, 5}:
        return judge(phase, reply.code, reply.message)
    _expect(expected, reply)
    return None


def _expect(expected: int, reply: aiosmtplib.SMTPResponse) -> None:
    """Let the expected answer pass; anything else means that the two of us are out of step, and ends the connection."""
    if reply.code // 100 != expected:
        raise aiosmtplib.SMTPResponseException(reply.code, reply.message)
