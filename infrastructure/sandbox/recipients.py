"""Simulated recipients: the local part of an address chooses what becomes of a mail, at any domain.

What follows a `+` is ignored, so that many people can share a fate: `refused+17@example.test`. Everybody else's mail
is accepted. The table is the documentation.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

ALWAYS = 1_000_000_000
REMEMBERED_MESSAGES = 10_000
SLOW_SECONDS = 1.0


class Act(StrEnum):
    """What the server does."""

    REPLY = "reply"  # answer with the line of the table
    REPLY_AND_LEAVE = "reply and leave"  # the same, then hang up
    WAIT = "wait"  # keep the mail, answer late
    HANG = "hang"  # never answer, keep nothing
    CUT = "cut"  # cut the connection: at RCPT there is nothing to keep
    KEEP_AND_CUT = "keep and cut"  # keep the mail, cut the connection without an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a mail: at which point, how often for one Message-ID; after that it is accepted.

    Only the final dot can be counted: at RCPT the server does not know yet which mail it is.
    """

    at_rcpt: bool = False
    act: Act = Act.REPLY
    line: str = ""
    times: int = ALWAYS


FATES: dict[str, Fate] = {
    # the recipient is refused, at RCPT, every time
    "refused": Fate(at_rcpt=True, line="550 5.1.1 No such user here"),
    "full": Fate(at_rcpt=True, line="552 5.2.2 Mailbox full"),
    "blocked": Fate(at_rcpt=True, line="550 5.7.1 Blocked by policy"),
    "tempfail": Fate(at_rcpt=True, line="451 4.3.0 Local error in processing"),
    "throttled": Fate(at_rcpt=True, act=Act.REPLY_AND_LEAVE, line="421 4.7.0 Too busy, come back later"),
    "reset": Fate(at_rcpt=True, act=Act.CUT),
    # the mail is refused, at the final dot, for a while
    "greylisted": Fate(line="451 4.7.1 Greylisted, come back later", times=2),
    "failtwice": Fate(line="450 4.2.0 Mailbox busy", times=2),
    "fails-N": Fate(line="450 4.2.0 Mailbox busy"),  # N times: fails-1, fails-2, ... fails-99
    "spam": Fate(line="554 5.7.1 Looks like spam"),
    # nobody can tell what became of the mail
    "hang": Fate(act=Act.HANG),
    "cut": Fate(act=Act.KEEP_AND_CUT, times=1),
    "cut-always": Fate(act=Act.KEEP_AND_CUT),
    "garbage": Fate(line="?!# no reply code at all"),
    # it only takes its time
    "slow": Fate(act=Act.WAIT),
}

ACCEPTED = Fate(line="250 2.0.0 Kept", times=0)
_FAILS = re.compile(r"fails-(\d{1,2})")


def fate_of(address: str) -> Fate:
    """Look up what becomes of a mail to this address."""
    name = address.partition("@")[0].partition("+")[0].lower()
    if counted := _FAILS.fullmatch(name):
        return Fate(line=FATES["fails-N"].line, times=int(counted[1]))
    return FATES.get(name, ACCEPTED)


class Attempts:
    """How often each message was tried: the newest only, so that memory stays bounded."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def count(self, message_id: str) -> int:
        """Count one more attempt and return how many there were before."""
        before = self._seen.pop(message_id, 0)
        self._seen[message_id] = before + 1
        if len(self._seen) > REMEMBERED_MESSAGES:
            self._seen.popitem(last=False)
        return before
