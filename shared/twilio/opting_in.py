"""A person's word to Twilio that they want messages again, after they had said STOP.

With Advanced Opt-Out Twilio says itself what a message means (`OptOutType`); else its default keywords do. Twilio has
lifted its own block by then. Sources: twilio.com/docs/messaging/guides/webhook-request and
twilio.com/docs/messaging/tutorials/advanced-opt-out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.statuses import Channel
from shared.twilio.answers import CODES
from shared.twilio.sender import PREFIXES, Sender

STOPPED = 21610
STOP_REASONS = (f"twilio {STOPPED}", CODES[STOPPED].reason)
"""How a suppression that STOP made says so: from an attempt, and from a status callback."""

KEYWORDS = frozenset({"start", "unstop", "yes"})

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptIn:
    """Who wants messages again, and where."""

    channel: Channel
    number: str = field(repr=False)


def opt_in_of(form: Mapping[str, str], senders: Sequence[Sender]) -> OptIn | None:
    """Read an incoming message; None if it says anything else, or says it to a sender that is not ours."""
    said = form.get("OptOutType", "").upper()
    is_opt_in = said == "START" if said else form.get("Body", "").strip().lower() in KEYWORDS
    channel, number = _read(form.get("From", ""))
    if not is_opt_in or not _NUMBER.fullmatch(number):
        return None
    ours = [sender for sender in senders if sender.channel is channel]
    addressed = {form.get("To", ""), form.get("MessagingServiceSid", "")} - {""}
    if not any(sender.address in addressed for sender in ours):
        return None
    return OptIn(channel=channel, number=number)


def _read(address: str) -> tuple[Channel, str]:
    prefix = PREFIXES[Channel.WHATSAPP]
    is_whatsapp = address.startswith(prefix)
    return (Channel.WHATSAPP if is_whatsapp else Channel.SMS), address.removeprefix(prefix)
