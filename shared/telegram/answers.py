"""What the Bot API's answer means: the one table of error codes, and the one of silences.

The code decides; the description, which Telegram may reword, only refines it, and only where more than this message
depends on it. Reasons are our own sentences: a description may quote what was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.http_call import Fault, Phase, Silence, silent
from shared.outcomes import Outcome
from shared.retry_after import read_retry_after
from shared.statuses import OutcomeKind

PROVIDER = "telegram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `document` is its JSON object, None when it has none, and then it is hardly Telegram's."""

    status: int
    document: Mapping[str, Any] | None = None
    retry_after: str | None = None

    @property
    def code(self) -> int:
        """Telegram's own code for a refusal; it is the status, unless something in between changed that."""
        said = (self.document or {}).get("error_code")
        return said if isinstance(said, int) and not isinstance(said, bool) else self.status

    @property
    def is_taken(self) -> bool:
        """Whether Telegram has done what it was asked."""
        return self.document is not None and self.document.get("ok") is True and 200 <= self.status < 300

    @property
    def description(self) -> str:
        """Telegram's words for a refusal."""
        return str((self.document or {}).get("description", ""))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What else a refusal says: when to come back, where the chat has gone."""
        said = (self.document or {}).get("parameters")
        return said if isinstance(said, dict) else {}

    @property
    def message_id(self) -> int | None:
        """The id of the message that was taken."""
        result = (self.document or {}).get("result")
        said = result.get("message_id") if isinstance(result, dict) else None
        return said if isinstance(said, int) else None

    @property
    def moved_to(self) -> str | None:
        """The chat that this one has become: a group that was made a supergroup."""
        said = self.parameters.get("migrate_to_chat_id")
        return str(said) if isinstance(said, int) and not self.is_taken else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer, or the lack of one, comes to. `word` tells verdicts under one code apart."""

    kind: OutcomeKind
    reason: str
    word: str = ""
    provider_at_fault: bool = False
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A code (fully matched), with which words in the description."""

    code: re.Pattern[str]
    verdict: Verdict
    says: re.Pattern[str] | None = None

    def covers(self, code: int, description: str) -> bool:
        """Tell whether this row is about that answer."""
        return bool(self.code.fullmatch(str(code))) and (self.says is None or self.says.search(description) is not None)


ACCEPTED = Verdict(kind=OutcomeKind.ACCEPTED, reason="Telegram took the message")
PAUSE = Verdict(kind=OutcomeKind.THROTTLED, reason="Telegram asks for a pause")
NOT_OUR_BOT = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="Telegram does not know our bot", word="bot", provider_at_fault=True
)
BLOCKED = Verdict(kind=OutcomeKind.PERMANENT, reason="the person has blocked the bot", word="blocked", suppress=True)
DEACTIVATED = Verdict(
    kind=OutcomeKind.PERMANENT, reason="the account or group is deactivated", word="deactivated", suppress=True
)
KICKED = Verdict(kind=OutcomeKind.PERMANENT, reason="the bot was removed from the chat", word="kicked", suppress=True)
FORBIDDEN = Verdict(
    kind=OutcomeKind.PERMANENT, reason="the bot may not write to this chat: has the person written to it first?"
)
# Not suppressed: who has never written to the bot is not found either, and is as soon as they do.
NO_SUCH_CHAT = Verdict(kind=OutcomeKind.PERMANENT, reason="the bot knows no such chat", word="no chat")
REFUSED = Verdict(kind=OutcomeKind.PERMANENT, reason="Telegram refused the message for good")
OUT_OF_ORDER = Verdict(kind=OutcomeKind.TRANSIENT, reason="Telegram is out of order", provider_at_fault=True)
NOT_TELEGRAM = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="what answered was not Telegram", word="foreign", provider_at_fault=True
)
GARBLED = Verdict(
    kind=OutcomeKind.AMBIGUOUS,
    reason="Telegram's answer made no sense; it may have taken the message",
    word="garbled",
    provider_at_fault=True,
)


def _row(code: str, verdict: Verdict, says: str | None = None) -> Row:
    return Row(re.compile(code), verdict, re.compile(says, re.IGNORECASE) if says else None)


TABLE: tuple[Row, ...] = (  # the first row that covers an answer counts
    _row(r"429", PAUSE),
    _row(r"401|404", NOT_OUR_BOT),  # revoked; or no token at all, for it is a part of the address
    _row(r"40[03]", DEACTIVATED, says=r"\bdeactivated\b"),
    _row(r"403", BLOCKED, says=r"\bblocked by the user\b"),
    _row(r"403", KICKED, says=r"\bkicked\b"),
    _row(r"403", FORBIDDEN),  # "can't initiate conversation": the person has not begun one yet
    _row(r"400", NO_SUCH_CHAT, says=r"\b(?:chat|user) not found\b|\bPEER_ID_INVALID\b"),
    _row(r"4\d\d", REFUSED),
    _row(r"5\d\d", OUT_OF_ORDER),
    _row(r"2\d\d", GARBLED),
    _row(r".*", NOT_TELEGRAM),
)
FOREIGN: tuple[Row, ...] = (  # without Telegram's JSON: a proxy, another server, an error page
    _row(r"429", PAUSE),
    _row(r"5\d\d", OUT_OF_ORDER),
    _row(r"2\d\d", GARBLED),
    _row(r".*", NOT_TELEGRAM),  # it says nothing about this chat, whatever its status
)

HAD_LEFT = "the message had left when the connection failed; Telegram may have taken it"
NOT_BEGUN = "the time was up before anything was sent"
FAULTS: Mapping[str, str] = {
    Fault.UNKNOWN_HOST: "Telegram's name is not known",
    Fault.TLS: "TLS failed, or Telegram's certificate is not trusted",
    Fault.TIMEOUT: "no answer by the deadline",
    Fault.UNREACHABLE: "Telegram cannot be reached",
    Fault.LOST: "the connection was lost",
    Fault.GARBLED: "what answered was not Telegram",
}


def judge(reply: Reply) -> Outcome:
    """Turn an answer into its outcome."""
    if reply.is_taken:
        return write(ACCEPTED, str(reply.status))
    rows = FOREIGN if reply.document is None else TABLE
    verdict = next(row.verdict for row in rows if row.covers(reply.code, reply.description))
    pause = None
    if verdict.kind is OutcomeKind.THROTTLED:
        now = datetime.now(UTC)
        pause = read_retry_after(reply.parameters.get("retry_after"), now)
        pause = read_retry_after(reply.retry_after, now) if pause is None else pause
    return write(verdict, f"{reply.code} {verdict.word}".rstrip(), pause)


def judge_silence(silence: Silence) -> Outcome:
    """Turn a call without an answer into its outcome."""
    why = {Phase.SENT: HAD_LEFT, Phase.WAITING: NOT_BEGUN}.get(silence.phase) or FAULTS[silence.word]
    return silent(PROVIDER, silence, f"{PROVIDER} {silence.word}", why)


def refuse(code: str, reason: str) -> Outcome:
    """Give up a message that Telegram need not be asked about."""
    return write(Verdict(kind=OutcomeKind.PERMANENT, reason=reason), code)


def is_gone(reply: Reply) -> bool:
    """Tell whether a message that was to be deleted is not there any more, by us or by somebody before us."""
    return reply.is_taken or (reply.code == 400 and "message to delete not found" in reply.description.lower())


def write(verdict: Verdict, code: str, retry_after_seconds: float | None = None) -> Outcome:
    """Write an outcome of Telegram's."""
    return Outcome(
        kind=verdict.kind,
        code=f"{PROVIDER} {code}",
        reason=verdict.reason,
        provider=PROVIDER,
        retry_after_seconds=retry_after_seconds,
        provider_at_fault=verdict.provider_at_fault,
        suppress=verdict.suppress,
    )
