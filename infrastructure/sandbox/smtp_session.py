"""One SMTP conversation of the sandbox (RFC 5321, 1870, 2920, 3030, 3207, 4954, 6531)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from typing import Protocol

from infrastructure.sandbox.mailbox import Mailbox, Received
from infrastructure.sandbox.moods import Moods, Outage
from infrastructure.sandbox.recipients import ALWAYS, SLOW_SECONDS, Act, Attempts, Fate, fate_of
from infrastructure.sandbox.smtp_wire import MAX_MESSAGE_BYTES, Wire
from shared.statuses import Channel

MAX_RECIPIENTS = 100
EXTENSIONS = ("PIPELINING", f"SIZE {MAX_MESSAGE_BYTES}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING")

_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>\s*(.*)", re.IGNORECASE)
_SIZE = re.compile(r"\bSIZE=(\d{1,15})", re.IGNORECASE)
_CHUNK = re.compile(r"(\d{1,15})(?: +(LAST))?", re.IGNORECASE)
_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class House(Protocol):
    """What a conversation needs of its server."""

    mailbox: Mailbox
    moods: Moods
    attempts: Attempts
    sessions: set[Session]


class Session(Wire):
    """One conversation. Each command answers for itself."""

    def __init__(self, house: House) -> None:
        super().__init__(lambda: house.moods.latency_seconds)
        self._house = house
        self._moods = house.moods
        self._is_logged_in = False
        self._mails = 0
        self._sender: str | None = None
        self._forget_envelope()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or do not."""
        super().connection_made(transport)
        self._house.sessions.add(self)
        if self._moods.outage is Outage.RESET:
            self.transport.abort()
        elif self._moods.outage is Outage.BANNER:
            self.answer("421 4.3.2 Out of order", self.hang_up)
        else:
            self.answer("220 sandbox.localhost ESMTP")
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the house."""
        super().connection_lost(exc)
        self._house.sessions.discard(self)

    def on_line(self, line: str) -> None:
        """Obey one command."""
        verb, _, argument = line.partition(" ")
        COMMANDS.get(verb.upper(), Session._unknown)(self, argument.strip())

    def on_encrypted(self) -> None:
        """Forget what was said in the clear."""
        self._forget_envelope()
        self._is_logged_in = False

    def _unknown(self, argument: str) -> None:
        self.answer("500 5.5.1 Unknown command")

    def _helo(self, argument: str) -> None:
        self._forget_envelope()
        self.answer("250 sandbox.localhost")

    def _ehlo(self, argument: str) -> None:
        self._forget_envelope()
        if "EHLO" in self._moods.not_offered:
            self.answer("502 5.5.1 Only HELO here")
            return
        offered = [line for line in EXTENSIONS if line.split()[0] not in self._moods.not_offered]
        if self._moods.tls and not self.is_encrypted:
            offered.append("STARTTLS")
        if self._moods.credentials:
            offered.append(" ".join(("AUTH", *self._moods.mechanisms)))
        lines = ["sandbox.localhost", *offered]
        self.answer("\r\n".join([*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]))

    def _mail(self, argument: str) -> None:
        path, size = _PATH.fullmatch(argument), _SIZE.search(argument)
        if self._moods.mails_per_connection is not None and self._mails >= self._moods.mails_per_connection:
            self.answer("421 4.7.0 Enough for one session", self.hang_up)
        elif self._moods.credentials and not self._is_logged_in:
            self.answer("530 5.7.0 Authentication required")
        elif self._sender is not None:
            self.answer("503 5.5.1 Nested MAIL")
        elif not path:
            self.answer("501 5.5.4 Malformed sender")
        elif size and int(size[1]) > MAX_MESSAGE_BYTES:
            self.answer("552 5.3.4 Too big")
        else:
            self._sender, self._is_utf8 = path[1], "SMTPUTF8" in path[2].upper()
            self.answer("250 2.1.0 OK")

    def _rcpt(self, argument: str) -> None:
        path = _PATH.fullmatch(argument)
        if self._sender is None:
            self.answer("503 5.5.1 MAIL first")
        elif not path or not path[1]:
            self.answer("501 5.1.3 Malformed recipient")
        elif not path[1].isascii() and not self._is_utf8:
            self.answer("553 5.6.7 SMTPUTF8 needed")
        elif len(self._recipients) >= MAX_RECIPIENTS:
            self.answer("452 4.5.3 Too many recipients")
        else:
            self._meet(path[1], fate_of(path[1]))

    def _meet(self, recipient: str, fate: Fate) -> None:
        if not fate.at_rcpt:
            self._recipients.append(recipient)
            self.answer("250 2.1.5 OK")
        elif fate.act is Act.CUT:
            self.cut()
        else:
            self.answer(fate.line, self.hang_up if fate.act is Act.REPLY_AND_LEAVE else None)

    def _data(self, argument: str) -> None:
        if not self._recipients:
            self.answer("503 5.5.1 RCPT first")
            return
        self.take_text(self._finish)
        self.answer("354 Go ahead, end with a dot")

    def _bdat(self, argument: str) -> None:
        wanted = _CHUNK.fullmatch(argument)
        if not wanted:
            self.answer("501 5.5.4 BDAT <size> [LAST]")
            return
        self._is_last_chunk = wanted[2] is not None
        self.take_chunk(int(wanted[1]), self._add_chunk)

    def _add_chunk(self, chunk: bytes | None) -> None:
        is_too_big = chunk is None or len(self._chunks) + len(chunk) > MAX_MESSAGE_BYTES
        if not self._recipients:
            if self._is_last_chunk:  # it ends the envelope, so that the next mail of a pipeline is not out of turn
                self._forget_envelope()
            self.answer("503 5.5.1 RCPT first")
        elif is_too_big:
            self._forget_envelope()
            self.answer("552 5.3.4 Too big")
        else:
            self._chunks += chunk or b""
            if self._is_last_chunk:
                self._finish(bytes(self._chunks))
            else:
                self.answer("250 2.0.0 Chunk taken")

    def _finish(self, text: bytes | None) -> None:
        """Answer the final dot: the first recipient's fate is the mail's."""
        sender, recipients = self._sender or "", self._recipients
        self._forget_envelope()
        self._mails += 1
        if text is None:
            self.answer("552 5.3.4 Too big")
            return
        mails = [Received(channel=Channel.EMAIL, to=to, sender=sender, raw=text) for to in recipients]
        fate = fate_of(recipients[0])
        if self._is_due(fate, mails[0]):
            ENDINGS[fate.act](self, fate, mails)
        elif self._moods.refuses_now():
            self.answer("451 4.3.2 Not today")
        else:
            self._keep(mails)
            self.answer("250 2.0.0 Kept")

    def _is_due(self, fate: Fate, mail: Received) -> bool:
        if fate.times in {0, ALWAYS}:
            return bool(fate.times)
        named = _MESSAGE_ID.search(mail.raw)
        return self._house.attempts.count(named[1].decode(errors="replace") if named else mail.to) < fate.times

    def _keep(self, mails: list[Received]) -> None:
        for mail in mails:
            self._house.mailbox.keep(mail)

    def _end_with_line(self, fate: Fate, mails: list[Received]) -> None:
        self.answer(fate.line)

    def _end_late(self, fate: Fate, mails: list[Received]) -> None:
        self._keep(mails)
        self.answer("250 2.0.0 Kept", after_seconds=SLOW_SECONDS)

    def _end_in_silence(self, fate: Fate, mails: list[Received]) -> None:
        self.is_waiting = True

    def _end_by_cutting(self, fate: Fate, mails: list[Received]) -> None:
        self._keep(mails)
        self.cut()

    def _auth(self, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if not self._moods.credentials or mechanism.upper() not in self._moods.mechanisms:
            self.answer("504 5.5.4 Unknown mechanism")
        elif mechanism.upper() == "PLAIN":
            self._ask([initial] if initial else [], ("",))
        else:
            self._ask([initial] if initial else [], ("VXNlcm5hbWU6", "UGFzc3dvcmQ6"))

    def _ask(self, given: list[str], questions: tuple[str, ...]) -> None:
        """Gather the answers, in base64, that the mechanism's questions want."""
        if len(given) == len(questions):
            self._log_in(given)
            return
        self.take_next_line(lambda line: self._ask([*given, line], questions))
        self.answer(f"334 {questions[len(given)]}")

    def _log_in(self, answers: list[str]) -> None:
        try:
            words = [base64.b64decode(answer, validate=True).decode() for answer in answers]
        except (binascii.Error, UnicodeDecodeError):
            words = []
        if len(words) == 1:  # PLAIN: identity, user and password in one (RFC 4616)
            words = words[0].split("\0")[1:]
        self._is_logged_in = tuple(words) == self._moods.credentials
        self.answer("235 2.7.0 Welcome" if self._is_logged_in else "535 5.7.8 Wrong user or password")

    def _starttls(self, argument: str) -> None:
        context = self._moods.tls
        if context is None or self.is_encrypted:
            self.answer("454 4.7.0 TLS not available")
        else:
            self.answer("220 2.0.0 Go ahead", lambda: self.encrypt(context))

    def _ok(self, argument: str) -> None:
        self.answer("250 2.0.0 OK")

    def _rset(self, argument: str) -> None:
        self._forget_envelope()
        self._ok(argument)

    def _quit(self, argument: str) -> None:
        self.answer("221 2.0.0 Bye", self.hang_up)

    def _forget_envelope(self) -> None:
        self._sender = None
        self._recipients: list[str] = []
        self._chunks = bytearray()
        self._is_utf8 = self._is_last_chunk = False


COMMANDS: dict[str, Callable[[Session, str], None]] = {
    "HELO": Session._helo,
    "EHLO": Session._ehlo,
    "MAIL": Session._mail,
    "RCPT": Session._rcpt,
    "DATA": Session._data,
    "BDAT": Session._bdat,
    "RSET": Session._rset,
    "NOOP": Session._ok,
    "QUIT": Session._quit,
    "AUTH": Session._auth,
    "STARTTLS": Session._starttls,
}

ENDINGS: dict[Act, Callable[[Session, Fate, list[Received]], None]] = {
    Act.REPLY: Session._end_with_line,
    Act.WAIT: Session._end_late,
    Act.HANG: Session._end_in_silence,
    Act.KEEP_AND_CUT: Session._end_by_cutting,
}
