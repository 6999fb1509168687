"""What Twilio says later about a message that it took: a signed form, posted to the address that came with it.

Forms come twice, and out of order: whoever keeps them lets none take back what a later step has said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from shared.twilio.answers import CODES

Receipt = Literal["delivered", "read", "failed"]

STATUSES: Mapping[str, Receipt | None] = {
    "accepted": None,
    "scheduled": None,
    "queued": None,
    "sending": None,
    "sent": None,  # to the carrier: we knew as much when Twilio took it
    "delivered": "delivered",
    "partially_delivered": "delivered",
    "read": "read",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioReceipt:
    """What became of a message. `reason` and `suppress` are about a failure, and mean what they do in an outcome."""

    sid: str
    receipt: Receipt | None
    code: str
    reason: str = ""
    suppress: bool = False


def receipt_of(form: Mapping[str, str]) -> TwilioReceipt | None:
    """Read a status callback; None if it is none. Without a `receipt` it changes nothing."""
    sid, status = form.get("MessageSid", ""), form.get("MessageStatus", "")
    if not sid or status not in STATUSES:
        return None
    receipt = STATUSES[status]
    if receipt != "failed":
        return TwilioReceipt(sid=sid, receipt=receipt, code=f"twilio {status}")
    code = form.get("ErrorCode", "")
    verdict = CODES.get(int(code)) if code.isascii() and code.isdigit() and len(code) <= 5 else None
    return TwilioReceipt(
        sid=sid,
        receipt=receipt,
        code=f"twilio {code}" if verdict else f"twilio {status}",
        reason=verdict.reason if verdict else "Twilio could not deliver it",
        suppress=verdict.suppress if verdict else False,
    )


def is_signed(token: str, url: str, form: Mapping[str, str], signature: str | None) -> bool:
    """Tell whether Twilio wrote a form for this address: the public one, with its query, as Twilio was given it.

    The signature has no time in it, so an old form stays valid for ever.
    """
    from twilio.request_validator import RequestValidator

    if not signature:
        return False
    try:
        return bool(RequestValidator(token).validate(url, form, signature))
    except ValueError:  # an address that is none
        return False
