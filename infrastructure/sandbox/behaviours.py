"""What a simulated recipient makes of a message, on any channel: one word for each, and where it hides in an address.

| channel        | address                                                                            |
|----------------|------------------------------------------------------------------------------------|
| e-mail         | `WORD@` any domain, `WORD+17@...` (what only SMTP knows: `recipients.py`)          |
| SMS, WhatsApp  | `+1500555` and four digits: two for the word, two that are free                    |
| Telegram       | the chat `500555` and the same four digits (and three more: `telegram.py`)         |
| push           | the token `sandbox:WORD`, `sandbox:WORD+17`                                        |

Everybody else's message is accepted.
"""

from __future__ import annotations

import re
from enum import StrEnum

from infrastructure.sandbox.recipients import ALWAYS


class Behaviour(StrEnum):
    """What becomes of a message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # there is no such recipient
    BLOCKED = "blocked"  # the person wants nothing of us: STOP, a blocked bot
    FULL = "full"  # it cannot take any more now
    THROTTLED = "throttled"  # too many, for a number of seconds that is said
    THROTTLED_UNTIL = "throttled-until"  # too many, until a date that is said
    THROTTLED_BARE = "throttled-bare"  # too many, and no word of when
    TEMPFAIL = "tempfail"  # the provider is out of order, every time
    FAILTWICE = "failtwice"  # it is, twice; then it takes the message
    HANG = "hang"  # never an answer, nothing kept
    CUT = "cut"  # kept, and the connection cut without an answer; the next time it answers
    CUT_ALWAYS = "cut-always"
    GARBAGE = "garbage"  # 200, and no JSON
    SLOW = "slow"  # kept, and a late answer
    RESET = "reset"  # the connection cut before anything is kept
    UNTRUSTED = "untrusted"  # our credentials are refused


DIGITS: dict[str, Behaviour] = {f"{number:02}": behaviour for number, behaviour in enumerate(Behaviour)}
"""Two digits for each word, in the order of the list: `+15005550117` is refused."""

TIMES = {Behaviour.FAILTWICE: 2, Behaviour.CUT: 1}
"""How often it behaves like that to one message; the others always do."""

_NUMBER = re.compile(r"(?:whatsapp:)?\+1500555(\d\d)\d\d|500555(\d\d)\d\d")
_TOKEN = re.compile(r"sandbox:([a-z-]+)(?:\+.*)?")


def number_for(behaviour: Behaviour, free: int = 0) -> str:
    """Write a phone number whose messages fare like that; `free`, 0 to 99, tells people apart."""
    return f"+1500555{list(Behaviour).index(behaviour):02}{free:02}"


def chat_for(behaviour: Behaviour, free: int = 0) -> str:
    """Write a Telegram chat whose messages fare like that."""
    return f"500555{list(Behaviour).index(behaviour):02}{free:02}"


def token_for(behaviour: Behaviour, free: int = 0) -> str:
    """Write the token of a device whose messages fare like that."""
    return f"sandbox:{behaviour}+{free}"


def behaviour_of(address: str) -> Behaviour:
    """Look up what becomes of a message to a number, a chat or a token."""
    if number := _NUMBER.fullmatch(address):
        return DIGITS.get(number[1] or number[2], Behaviour.ACCEPTED)
    token = _TOKEN.fullmatch(address)
    return Behaviour(token[1]) if token and token[1] in set(Behaviour) else Behaviour.ACCEPTED


def times(behaviour: Behaviour) -> int:
    """Count how often it behaves like that to one message."""
    return TIMES.get(behaviour, ALWAYS)
