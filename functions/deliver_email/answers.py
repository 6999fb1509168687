"""What a mail server's answer means: the one table of reply codes, and the one of silences.

The reply code decides; the enhanced status code (RFC 3463) only refines it. Every row that looks at the second names
the first as well, so one that contradicts its reply code changes nothing.
Reasons are our own sentences: a server's text may quote the address.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind

PROVIDER = "smtp"


class AnswerGarbled(Exception):
    """What came back was no reply, so none after it can be told apart."""


class Phase(StrEnum):
    """How far a conversation has come. The same failure means another thing in another phase."""

    WAITING = "waiting"  # for a free connection: the server was not asked
    CONNECT = "connect"  # look-up, TCP, greeting, EHLO, STARTTLS
    LOGIN = "login"
    SENDER = "sender"  # MAIL FROM: nobody is named yet
    RECIPIENT = "recipient"  # RCPT TO
    DATA = "data"  # the text is announced, or has not left whole
    FINAL_DOT = "final dot"  # the text has left: the server may have taken it


@dataclass(slots=True)
class Progress:
    """How far one attempt has come, for whoever has to judge its end."""

    phase: Phase = Phase.WAITING
    is_reused: bool = False  # the connection carried a mail before

    @property
    def may_start_over(self) -> bool:
        """Whether a failure may be that of a connection that grew old in the pool, before anything was said."""
        return self.is_reused and self.phase is Phase.SENDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer, or the lack of one, comes to."""

    kind: OutcomeKind
    reason: str
    provider_at_fault: bool = False
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """An answer `code enhanced` (fully matched; `-` for no enhanced code), in which phases, with which words."""

    phases: frozenset[Phase]
    answer: re.Pattern[str]
    verdict: Verdict
    says: re.Pattern[str] | None = None

    def covers(self, phase: Phase, answer: str, text: str) -> bool:
        """Tell whether this row is about that answer."""
        if phase not in self.phases or not self.answer.fullmatch(answer):
            return False
        return self.says is None or self.says.search(text) is not None


ANY = frozenset(Phase)
ABOUT_THE_RECIPIENT = frozenset({Phase.RECIPIENT, Phase.DATA, Phase.FINAL_DOT})

ACCEPTED = Verdict(kind=OutcomeKind.ACCEPTED, reason="the server took the mail")
PAUSE = Verdict(kind=OutcomeKind.THROTTLED, reason="the server asks for a pause")
GREYLISTED = Verdict(kind=OutcomeKind.THROTTLED, reason="the server greylists or limits the rate")
NOT_LOGGED_IN = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="the server does not accept our credentials", provider_at_fault=True
)
NOT_SERVED = Verdict(kind=OutcomeKind.TRANSIENT, reason="the server does not serve us", provider_at_fault=True)
OUT_OF_STEP = Verdict(kind=OutcomeKind.TRANSIENT, reason="the server lost the thread", provider_at_fault=True)
NO_SUCH_ADDRESS = Verdict(kind=OutcomeKind.PERMANENT, reason="the address does not exist", suppress=True)
MAILBOX_FULL = Verdict(kind=OutcomeKind.PERMANENT, reason="the mailbox is full")
AGAINST_POLICY = Verdict(kind=OutcomeKind.PERMANENT, reason="the server's policy forbids it")
REFUSED = Verdict(kind=OutcomeKind.PERMANENT, reason="the server refused for good")
SERVER_TROUBLE = Verdict(kind=OutcomeKind.TRANSIENT, reason="the server takes no mail for now", provider_at_fault=True)
NOT_NOW = Verdict(kind=OutcomeKind.TRANSIENT, reason="the server refused for now")
GARBLED = Verdict(kind=OutcomeKind.TRANSIENT, reason="the server's answer made no sense", provider_at_fault=True)
GARBLED_AT_THE_END = Verdict(
    kind=OutcomeKind.AMBIGUOUS, reason="the server's last answer made no sense", provider_at_fault=True
)


def _row(phases: frozenset[Phase], answer: str, verdict: Verdict, says: str | None = None) -> Row:
    return Row(phases, re.compile(answer), verdict, re.compile(says, re.IGNORECASE) if says else None)


TABLE: tuple[Row, ...] = (  # the first row that covers an answer counts
    _row(frozenset({Phase.FINAL_DOT}), r"2\d\d .*", ACCEPTED),
    _row(ANY, r"421 .*", PAUSE),
    _row(ANY, r"53[0458] .*", NOT_LOGGED_IN),  # RFC 4954 6: also said to MAIL by a server that wants a login
    _row(frozenset({Phase.LOGIN}), r".*", NOT_LOGGED_IN),  # 454 4.7.0 is a failed login here, no throttle
    _row(frozenset({Phase.CONNECT}), r"454 .*", NOT_SERVED),  # RFC 3207 4: TLS is out of order
    _row(ANY, r"4\d\d 4\.7\.\d+", GREYLISTED),
    _row(ANY, r"4\d\d .*", GREYLISTED, says=r"gr[ae]y-?list|rate limit|too (?:many|fast|quickly)|throttl"),
    _row(frozenset({Phase.CONNECT}), r"[45]\d\d .*", NOT_SERVED),  # 554 greets us, whatever the mail
    _row(ANY, r"503 .*", OUT_OF_STEP),
    _row(ABOUT_THE_RECIPIENT, r"5\d\d 5\.1\.(?:1|2|3|6|10)", NO_SUCH_ADDRESS),  # elsewhere it means our own sender
    _row(ANY, r"5\d\d 5\.2\.2", MAILBOX_FULL),
    _row(ANY, r"5\d\d 5\.7\.\d+", AGAINST_POLICY),
    _row(ANY, r"5\d\d .*", REFUSED),
    _row(frozenset({Phase.SENDER}), r"4\d\d .*", SERVER_TROUBLE),  # nobody is named yet, so it is about no recipient
    _row(ANY, r"4\d\d .*", NOT_NOW),
    _row(frozenset({Phase.FINAL_DOT}), r".*", GARBLED_AT_THE_END),
    _row(ANY, r".*", GARBLED),
)

BEFORE_THE_DOT = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="the conversation broke off before the mail had left", provider_at_fault=True
)
SILENCE: dict[Phase, Verdict | None] = {  # None: the fault itself says best what happened
    # Nothing was tried, so no try is used up: the connections that are held speak for the server themselves.
    Phase.WAITING: Verdict(kind=OutcomeKind.THROTTLED, reason="every connection was busy until the deadline"),
    Phase.CONNECT: None,
    Phase.LOGIN: None,
    Phase.SENDER: BEFORE_THE_DOT,
    Phase.RECIPIENT: BEFORE_THE_DOT,
    Phase.DATA: BEFORE_THE_DOT,
    Phase.FINAL_DOT: Verdict(
        kind=OutcomeKind.AMBIGUOUS,
        reason="the mail had left when the conversation broke off; the server may have taken it",
        provider_at_fault=True,
    ),
}

FAULTS: tuple[tuple[type[BaseException], str, str], ...] = (  # the first that an error is, or was caused by
    (AnswerGarbled, "garbled", "the server's answer made no sense"),
    (ssl.SSLError, "tls", "TLS failed, or the server's certificate is not trusted"),
    (socket.gaierror, "unknown host", "the server's name is not known"),
    (ConnectionRefusedError, "refused", "the server refused the connection"),
    (TimeoutError, "timeout", "the server was not ready by the deadline"),
    (ConnectionError, "lost", "the server broke off before it took any mail"),
    (OSError, "unreachable", "the server cannot be reached"),
    (Exception, "not offered", "the server offers no TLS, or no login, where we need it"),
)

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_PAUSE = re.compile(r"\b(?:in|for|after|wait)\s+(\d{1,6})\s*(s|m)(?:ec(?:ond)?s?|in(?:ute)?s?)?\b", re.IGNORECASE)
MAX_PAUSE_SECONDS = 3600.0


def judge(phase: Phase, code: int, text: str) -> Outcome:
    """Turn an answer that ended an attempt into its outcome."""
    enhanced = _ENHANCED.match(text)
    answer = f"{code} {enhanced[1] if enhanced else '-'}"
    verdict = next(row.verdict for row in TABLE if row.covers(phase, answer, text))
    spoken = f" {enhanced[1]}" if enhanced else ""
    pause = _asked_pause(text) if verdict.kind is OutcomeKind.THROTTLED else None
    return _outcome(verdict, f"smtp {code}{spoken}" if 200 <= code < 600 else f"smtp garbled at {phase}", pause)


def accept(reply: bytes, message_id: str) -> Outcome:
    """Turn the answer that a server took a mail into its outcome. Every mail comes by here, and `judge` is slower."""
    enhanced = _ENHANCED.match(reply[4:20].decode(errors="replace"))
    code = f"smtp {reply[:3].decode()} {enhanced[1]}" if enhanced else f"smtp {reply[:3].decode()}"
    return Outcome(
        kind=OutcomeKind.ACCEPTED, code=code, reason=ACCEPTED.reason, provider=PROVIDER, provider_message_id=message_id
    )


def judge_silence(phase: Phase, failure: BaseException) -> Outcome:
    """Turn an attempt that ended without an answer into its outcome."""
    causes = (failure, failure.__cause__)
    _, word, why = next(row for row in FAULTS if any(isinstance(cause, row[0]) for cause in causes))
    verdict = SILENCE[phase] or replace(BEFORE_THE_DOT, reason=why)
    return _outcome(verdict, f"smtp {word} at {phase}")


def refuse(code: str, reason: str) -> Outcome:
    """Give up a mail that no server need be asked about."""
    return _outcome(Verdict(kind=OutcomeKind.PERMANENT, reason=reason), f"smtp {code}")


def _outcome(verdict: Verdict, code: str, retry_after_seconds: float | None = None) -> Outcome:
    return Outcome(
        kind=verdict.kind,
        code=code,
        reason=verdict.reason,
        provider=PROVIDER,
        retry_after_seconds=retry_after_seconds,
        provider_at_fault=verdict.provider_at_fault,
        suppress=verdict.suppress,
    )


def _asked_pause(text: str) -> float | None:
    asked = _PAUSE.search(text)
    if not asked:
        return None
    seconds = float(asked[1]) * (60 if asked[2].lower() == "m" else 1)
    return min(max(seconds, 1.0), MAX_PAUSE_SECONDS)
