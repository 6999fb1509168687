"""What comes of a call for one device: the tables' records, the table of silences, and how an outcome is made of them.

The two tables of answers stand beside the services: `fcm_answers.py`, `onesignal_answers.py`.
Reasons are our own sentences: a provider's text may quote the token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.http_call import Phase, Reply, Silence, silent
from shared.outcomes import Device, Outcome
from shared.retry_after import read_retry_after
from shared.statuses import OutcomeKind, PushService

NO_WORD, TAKEN, GARBLED = "-", "taken", "garbled"
"""Words of ours: nothing was said beyond the status; it says that the message was taken; nobody can read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer, or the lack of one, comes to. `wait_seconds` counts where the provider names no time itself."""

    kind: OutcomeKind
    reason: str
    provider_at_fault: bool = False
    is_dead: bool = False
    wait_seconds: float | None = None


Table = Sequence[tuple[re.Pattern[str], Verdict]]
"""An answer as `status word`, fully matched, and what it means. The first row that matches counts, the last always."""


def row(answer: str, verdict: Verdict) -> tuple[re.Pattern[str], Verdict]:
    """Write one row of a table."""
    return re.compile(answer), verdict


ACCEPTED = Verdict(kind=OutcomeKind.ACCEPTED, reason="the provider took the message")
GONE = Verdict(kind=OutcomeKind.PERMANENT, reason="the app is no longer on the device", is_dead=True)
REFUSED = Verdict(kind=OutcomeKind.PERMANENT, reason="the provider refused the message for good")
NOT_TRUSTED = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="the provider does not accept our credentials", provider_at_fault=True
)
NOT_KNOWN = Verdict(
    kind=OutcomeKind.TRANSIENT, reason="the provider does not know our project or app", provider_at_fault=True
)
TOO_MANY = Verdict(kind=OutcomeKind.THROTTLED, reason="the provider asks for a pause")
TROUBLE = Verdict(kind=OutcomeKind.TRANSIENT, reason="the provider is out of order", provider_at_fault=True)
SENSELESS = Verdict(kind=OutcomeKind.TRANSIENT, reason="the provider's answer made no sense", provider_at_fault=True)
PERHAPS_TAKEN = Verdict(
    kind=OutcomeKind.AMBIGUOUS,
    reason="the provider may have taken the message: nobody can tell",
    provider_at_fault=True,
)

SILENCE: dict[Phase, str] = {
    Phase.WAITING: "the time was up before anything was sent",
    Phase.LOGIN: "the provider gave us no access token",
    Phase.CONNECT: "the provider cannot be reached",
    Phase.SENT: PERHAPS_TAKEN.reason,
}


def judge(service: PushService, table: Table, reply: Reply, word: str, device: Device | None = None) -> Outcome:
    """Turn an answer into the outcome for a device. `word` is what the provider says beyond the status."""
    answer = f"{reply.status} {word}"
    verdict = next(verdict for pattern, verdict in table if pattern.fullmatch(answer))
    asked = read_retry_after(reply.headers.get("Retry-After"), datetime.now(UTC))
    may_wait = verdict.kind in {OutcomeKind.THROTTLED, OutcomeKind.TRANSIENT}
    return Outcome(
        kind=verdict.kind,
        code=f"{service} {reply.status}" if word in {NO_WORD, TAKEN} else f"{service} {answer}",
        reason=verdict.reason,
        provider=service,
        retry_after_seconds=(verdict.wait_seconds if asked is None else asked) if may_wait else None,
        provider_at_fault=verdict.provider_at_fault,
        dead_devices=(device,) if verdict.is_dead and device else (),
    )


def judge_silence(service: PushService, silence: Silence) -> Outcome:
    """Turn a call that ended without an answer into its outcome."""
    return silent(service, silence, f"{service} {silence.word} at {silence.phase}", SILENCE[silence.phase])


def refuse(service: PushService, code: str, reason: str) -> Outcome:
    """Give up a message that no provider need be asked about."""
    return Outcome(kind=OutcomeKind.PERMANENT, code=f"{service} {code}", reason=reason, provider=service)
