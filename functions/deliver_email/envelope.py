"""One mail as it is handed to a server: the envelope around the text."""

from __future__ import annotations

from dataclasses import dataclass

from functions.deliver_email.answers import refuse
from shared.outcomes import Outcome
from shared.quick import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A composed letter with its envelope: one recipient, so that an answer is about nobody else."""

    recipient: bytes
    message: bytes
    message_id: str
    is_utf8: bool  # the address needs SMTPUTF8 (RFC 6531)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a server said it can do, and how many mails it takes in one session (RFC 9422), as far as it said so."""

    chunking: bool = False
    pipelining: bool = False
    size: bool = False
    smtputf8: bool = False
    eight_bit: bool = False
    mails: int | None = None

    def refusal(self, mail: Mail) -> Outcome | None:
        """Say why a mail cannot go there, without asking."""
        if mail.is_utf8 and not self.smtputf8:
            return refuse("no smtputf8", "the server takes no address beyond ASCII")
        return None

    def parameters(self, mail: Mail) -> bytes:
        """Write what follows the sender: the size, to be refused early, and that the address goes beyond ASCII."""
        size = b" SIZE=%d" % len(mail.message) if self.size else b""
        if not mail.is_utf8:
            return size
        return size + (b" SMTPUTF8 BODY=8BITMIME" if self.eight_bit else b" SMTPUTF8")
