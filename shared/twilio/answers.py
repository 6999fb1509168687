"""What Twilio's answer means: the one table of its error codes, the one of HTTP statuses, the one of silences.

Twilio's own code decides; the HTTP status only where there is none that we know. The same codes come back later in a
message's status (`receipts.py`), with the same meaning. Reasons are our own sentences: Twilio's quote the number.
Sources: twilio.com/docs/api/errors and twilio.com/docs/whatsapp/api/error-code-mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.http_call import Fault, Phase, Silence, silent
from shared.outcomes import Outcome
from shared.retry_after import read_retry_after
from shared.statuses import OutcomeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer over HTTP. `code` is Twilio's own, if there is one."""

    status: int
    code: int | None = None
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that did not bring what it was made for: it was refused, or there was no answer.

    With neither, nobody can read what came.
    """

    said: Said | None = None
    silence: Silence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer, or the lack of one, comes to."""

    kind: OutcomeKind
    reason: str
    provider_at_fault: bool = False
    suppress: bool = False


def _permanent(reason: str, *, suppress: bool = False) -> Verdict:
    return Verdict(kind=OutcomeKind.PERMANENT, reason=reason, suppress=suppress)


def _transient(reason: str, *, at_fault: bool = False) -> Verdict:
    return Verdict(kind=OutcomeKind.TRANSIENT, reason=reason, provider_at_fault=at_fault)


def _throttled(reason: str) -> Verdict:
    return Verdict(kind=OutcomeKind.THROTTLED, reason=reason)


def _ambiguous(reason: str) -> Verdict:
    return Verdict(kind=OutcomeKind.AMBIGUOUS, reason=reason, provider_at_fault=True)


# About our account, and no message's fault: not permanent, or a token that was changed would bury everything that comes
# meanwhile. At fault, so that the breaker opens, the rest waits without using up tries, and goes out once it is mended.
ACCOUNT_REFUSED = _transient("Twilio does not accept our credentials, or our account", at_fault=True)
NO_SUCH_NUMBER = _permanent("there is no such number", suppress=True)
NO_MOBILE = _permanent("the number is not a mobile phone's", suppress=True)
NOT_ON_WHATSAPP = _permanent("the number is not on WhatsApp", suppress=True)
SENDER_UNFIT = _permanent("our sender cannot send this, or not there")
SENDER_UNREGISTERED = _permanent("our sender is not registered for this traffic")
TEMPLATE_UNFIT = _permanent("WhatsApp does not know the template, or its variables do not fit")
TOO_FAST = _throttled("Twilio asks for a pause")
WHATSAPP_TOO_FAST = _throttled("WhatsApp takes no more from our sender for now")
WHATSAPP_TROUBLE = _transient("WhatsApp is out of order", at_fault=True)
QUEUE_FULL = _throttled("Twilio's queue for our sender is full")

CODES: Mapping[int, Verdict] = {
    # our account
    20003: ACCOUNT_REFUSED,
    20005: ACCOUNT_REFUSED,  # not active
    20006: ACCOUNT_REFUSED,  # access denied
    20404: ACCOUNT_REFUSED,  # all that we ask for is the account's own list
    30002: ACCOUNT_REFUSED,  # suspended
    63001: ACCOUNT_REFUSED,  # WhatsApp refuses Twilio's login for us
    # the number. 30006 is also said of a carrier that cannot be reached, so the number may live: it is not suppressed
    21211: NO_SUCH_NUMBER,
    21614: NO_MOBILE,
    21635: NO_MOBILE,
    30005: NO_SUCH_NUMBER,
    30006: _permanent("a landline, or a carrier that cannot be reached"),
    63003: NOT_ON_WHATSAPP,
    63024: NOT_ON_WHATSAPP,
    # the person
    21610: _permanent("the person has answered STOP", suppress=True),
    30004: _permanent("the carrier, or the person, blocks it"),
    63015: _permanent("the person has not joined Twilio's WhatsApp sandbox"),
    63032: _permanent("WhatsApp keeps this person out for now"),
    63049: _permanent("Meta chose not to deliver it"),
    # our sender
    21212: SENDER_UNFIT,
    21408: _permanent("our account may not send to that country"),
    21603: SENDER_UNFIT,
    21606: SENDER_UNFIT,
    21608: _permanent("a trial account sends to verified numbers only"),
    21612: SENDER_UNFIT,
    21659: SENDER_UNFIT,
    21660: SENDER_UNFIT,
    21703: SENDER_UNFIT,  # a messaging service without senders
    21705: SENDER_UNFIT,  # no such messaging service
    63007: SENDER_UNFIT,
    30032: SENDER_UNREGISTERED,
    30034: SENDER_UNREGISTERED,
    # the message
    21602: _permanent("the message is empty"),
    21609: _permanent("Twilio cannot call back to our PUBLIC_URL"),
    21617: _permanent("the text is too long"),
    21619: _permanent("the message is empty"),
    21655: TEMPLATE_UNFIT,
    21656: TEMPLATE_UNFIT,
    30007: _permanent("the carrier took it for spam"),
    63005: _permanent("WhatsApp does not accept the content"),
    63013: _permanent("it is against WhatsApp's policy"),
    63016: _permanent("24 hours have passed since the person's last word: only an approved template may be sent"),
    63027: TEMPLATE_UNFIT,
    63028: TEMPLATE_UNFIT,
    63030: TEMPLATE_UNFIT,
    # for now
    30003: _transient("the phone cannot be reached"),
    30008: _transient("the carrier does not say why it failed"),
    63010: WHATSAPP_TROUBLE,
    63012: WHATSAPP_TROUBLE,
    63021: _transient(
        "WhatsApp failed on this message"
    ),  # it speaks of the message, so it is not held against WhatsApp
    # later, and nobody's failure
    20429: TOO_FAST,
    14107: TOO_FAST,
    21611: QUEUE_FULL,
    30001: QUEUE_FULL,
    30022: _throttled("the carriers take no more from our sender for now"),
    30023: _throttled("the carriers take no more from our sender today"),
    63017: WHATSAPP_TOO_FAST,
    63018: WHATSAPP_TOO_FAST,
    63038: _throttled("our account may send no more today"),
}

REFUSED = _permanent("Twilio refused for good")
ELSEWHERE = _transient("something other than Twilio answers at TWILIO_BASE_URL", at_fault=True)
STATUSES: tuple[tuple[range, Verdict], ...] = (  # the first that covers a status counts
    (range(300, 400), ELSEWHERE),
    (range(401, 402), ACCOUNT_REFUSED),
    (range(403, 404), ACCOUNT_REFUSED),  # a refusal of one message has a code of its own
    (range(404, 405), ELSEWHERE),
    (range(407, 408), ELSEWHERE),
    (range(429, 430), TOO_FAST),
    (range(400, 500), REFUSED),
    (range(503, 504), _transient("Twilio is out of order", at_fault=True)),
    # It may have been taken before the trouble began, and there is no key by which a second one would be known.
    (range(500, 600), _ambiguous("Twilio failed on the way: it may have taken the message")),
)
GARBLED = _ambiguous("Twilio's answer made no sense: it may have taken the message")
HAD_LEFT = "the request had left when the call broke off: Twilio may have taken it"
NOT_BEGUN = "the time was up before anything was sent"
FAULTS: Mapping[str, str] = {
    Fault.TLS: "TLS failed, or Twilio's certificate is not trusted",
    Fault.UNKNOWN_HOST: "Twilio's name is not known here",
    Fault.TIMEOUT: "there was no connection to Twilio by the deadline",
}
UNREACHABLE = "Twilio cannot be reached"

FAILED_STATUSES = frozenset({"failed", "undelivered", "canceled"})
"""What Twilio calls a message that did not, and will not, arrive."""


def judge(ended: Ended, now: datetime) -> Outcome:
    """Turn a request to send that brought no message into its outcome."""
    said = ended.said
    if ended.silence is not None and ended.silence.word != Fault.GARBLED:
        return _judge_silence(ended.silence)
    if said is None or said.status < 300:
        return write(GARBLED, "twilio garbled")
    known = CODES.get(said.code) if said.code is not None else None
    verdict = known or next((row for statuses, row in STATUSES if said.status in statuses), GARBLED)
    pause = read_retry_after(said.retry_after, now) if verdict.kind is OutcomeKind.THROTTLED else None
    code = f"twilio {said.code}" if said.code is not None else f"twilio http {said.status}"
    return replace(write(verdict, code), retry_after_seconds=pause)


def judge_look_up(ended: Ended, now: datetime) -> Outcome:
    """Turn a look-up that failed into its outcome: nothing was sent, so nothing is lost by trying later."""
    outcome = judge(ended, now)
    kind = outcome.kind if outcome.kind is OutcomeKind.THROTTLED else OutcomeKind.TRANSIENT
    reason = f"nothing was sent, for nobody could say whether it had been taken before: {outcome.reason}"
    return replace(outcome, kind=kind, code=f"{outcome.code} at look-up", reason=reason, suppress=False)


def judge_failed_message(code: int | None) -> Outcome:
    """Turn a message that Twilio took and gave up at once into its outcome."""
    verdict = CODES.get(code, REFUSED) if code else REFUSED
    return write(verdict, f"twilio {code or 'failed'}")


def accept(sid: str, status: str) -> Outcome:
    """Turn a message that Twilio took into its outcome."""
    verdict = Verdict(kind=OutcomeKind.ACCEPTED, reason="Twilio took the message")
    return replace(write(verdict, f"twilio {status}"), provider_message_id=sid)


def accept_earlier(sid: str, status: str) -> Outcome:
    """Turn a message that an earlier attempt had sent into the outcome of this one."""
    reason = "Twilio had taken it already, at an earlier attempt: nothing was sent again"
    return replace(accept(sid, status), code=f"twilio found {status}", reason=reason)


def refuse(code: str, reason: str) -> Outcome:
    """Give up a message that Twilio need not be asked about."""
    return write(_permanent(reason), f"twilio {code}")


def write(verdict: Verdict, code: str) -> Outcome:
    """Write an outcome. Whose it is, the provider adds: the tables are the same for all of them."""
    return Outcome(
        kind=verdict.kind,
        code=code,
        reason=verdict.reason,
        provider_at_fault=verdict.provider_at_fault,
        suppress=verdict.suppress,
    )


def _judge_silence(silence: Silence) -> Outcome:
    if silence.phase is Phase.SENT:
        code = "twilio timeout" if silence.word == Fault.TIMEOUT else "twilio cut"
        return silent("twilio", silence, code, HAD_LEFT)
    reason = NOT_BEGUN if silence.phase is Phase.WAITING else FAULTS.get(silence.word, UNREACHABLE)
    return silent("twilio", silence, f"twilio {silence.word} at {silence.phase}", reason)
