"""One mail by the conversation that every server understands: each command waits for its answer (RFC 5321)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import aiosmtplib

from functions.deliver_email.answers import Phase, Progress, judge, judge_silence
from functions.deliver_email.connection import Connection, SecondsLeft
from functions.deliver_email.envelope import Mail
from shared.outcomes import Outcome


async def hand_over(connection: Connection, mail: Mail, sender: bytes, seconds_left: SecondsLeft) -> Outcome | None:
    """Make one attempt; return None where nothing was begun, because there is no time or the connection had grown old.

    Cancelling it leaves the connection in the middle of a conversation: nobody may find half an answer on it.
    """
    if seconds_left() <= 0:
        return None
    progress = Progress(phase=Phase.SENDER, is_reused=not connection.is_fresh)
    connection.begin(1)
    try:
        async with asyncio.timeout(seconds_left()):
            outcome = await _converse(connection, mail, sender, progress, seconds_left)
    except (aiosmtplib.SMTPException, OSError) as failure:  # TimeoutError is an OSError
        connection.abort()
        return _broken_off(progress, failure)
    connection.is_under_way = False
    return outcome


def _broken_off(progress: Progress, failure: BaseException) -> Outcome | None:
    if progress.may_start_over and not isinstance(failure, TimeoutError):
        return None
    if isinstance(failure, aiosmtplib.SMTPResponseException):
        return judge(progress.phase, failure.code, failure.message)
    return judge_silence(progress.phase, failure)


async def _converse(
    connection: Connection, mail: Mail, sender: bytes, progress: Progress, seconds_left: SecondsLeft
) -> Outcome:
    if connection.needs_reset:
        _expect(2, await connection.command(b"RSET"))
        connection.needs_reset = False
    reply = await connection.command(b"MAIL FROM:<" + sender + b">" + connection.offered.parameters(mail))
    if reply.code == 421 and progress.is_reused:  # the session's limit, not the server's: a new one will do
        raise aiosmtplib.SMTPServerDisconnected("the session was ended")
    if refusal := _refusal(Phase.SENDER, 2, reply):
        return refusal
    connection.needs_reset = True
    progress.phase = Phase.RECIPIENT
    if refusal := _refusal(Phase.RECIPIENT, 2, await connection.command(b"RCPT TO:<" + mail.recipient + b">")):
        return refusal
    progress.phase = Phase.DATA
    if refusal := _refusal(Phase.DATA, 3, await connection.command(b"DATA")):
        return refusal
    if seconds_left() <= 0:  # this process may have been stopped, and the answer was there before the timer
        raise TimeoutError
    reply = await connection.deliver(mail.message, progress)
    connection.needs_reset = False  # whatever the answer, it ends the envelope
    if refusal := _refusal(Phase.FINAL_DOT, 2, reply):
        return refusal
    return replace(judge(Phase.FINAL_DOT, *reply), provider_message_id=mail.message_id)


def _refusal(phase: Phase, expected: int, reply: aiosmtplib.SMTPResponse) -> Outcome | None:
    if reply.code // 100 in {4, 5}:
        return judge(phase, reply.code, reply.message)
    _expect(expected, reply)
    return None


def _expect(expected: int, reply: aiosmtplib.SMTPResponse) -> None:
    """Let the expected answer pass; anything else means that the two of us are out of step, and ends the connection."""
    if reply.code // 100 != expected:
        raise aiosmtplib.SMTPResponseException(reply.code, reply.message)
