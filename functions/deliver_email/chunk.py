"""Several mails in one write, and what becomes of each (RFC 2920, RFC 3030).

Each mail is a group of commands: `MAIL FROM`, `RCPT TO`, and `BDAT <size> LAST` with the text behind it. What is
refused in one group says nothing about the next. After a refused chunk the server's state is not determined (RFC 3030
2), and the next group is written already: so each begins with `RSET`, or somebody could get the mail of somebody else.
Because a text leaves together with its envelope, silence about a mail whose last byte had left is ambiguous, wherever
the replies broke off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from functions.deliver_email.answers import AnswerGarbled, Phase, accept, judge, judge_silence
from functions.deliver_email.envelope import Mail, Offered
from functions.deliver_email.pipeline import Exchange
from shared.outcomes import Outcome

PIECE_BYTES = 32_768
PHASES = (Phase.SENDER, Phase.RECIPIENT, Phase.FINAL_DOT)
OK, REFUSED = b"2", (b"4", b"5")

Ending = tuple[int, Outcome | None]
"""The place of a mail in its chunk, and what came of it; None: it was not begun, and may be begun anew."""


class Chunk:
    """Mails that are written together. Made for one connection, read while its replies come."""

    def __init__(self, mails: Sequence[Mail], sender: bytes, offered: Offered, *, needs_reset: bool) -> None:
        self._mails = mails
        self._resets = [1] * len(mails)  # how many replies come before those of a mail
        self._resets[0] = int(needs_reset)
        self._written = [
            b"%bMAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\nBDAT %d LAST\r\n%b"
            % (
                b"RSET\r\n" if reset else b"",
                sender,
                offered.parameters(mail),
                mail.recipient,
                len(mail.message),
                mail.message,
            )
            for mail, reset in zip(mails, self._resets, strict=True)
        ]
        self._ends = list(accumulate(map(len, self._written)))
        self.exchange = Exchange(3 * len(mails) + sum(self._resets))
        self.is_refused = False  # something was: the server may still hold an envelope
        self.is_closing = False  # the server said that it takes nothing more here
        self._next = 0  # the first mail that has not ended
        self._heard = 0  # replies that were judged
        self._instead: Outcome | None = None  # what that means for the mails behind

    def __len__(self) -> int:
        """Count the mails."""
        return len(self._mails)

    @property
    def size_bytes(self) -> int:
        """Count what is written, commands and texts."""
        return self._ends[-1]

    @property
    def pieces(self) -> Iterator[bytes]:
        """What is written at once: some mails together, a long one in parts.

        Each piece waits until the one before has left, so that what was not given to the transport is known to be here.
        TLS takes whatever it is given and does not say how much of it has left.
        """
        held: list[bytes] = []
        size = 0
        for text in self._written:
            if held and size + len(text) > PIECE_BYTES:
                yield b"".join(held)
                held, size = [], 0
            if len(text) > PIECE_BYTES:
                yield from (text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES))
            else:
                held.append(text)
                size += len(text)
        if held:
            yield b"".join(held)

    def endings(self, *, is_fresh: bool) -> list[Ending]:
        """Say which mails have ended since the last call: those with all their replies, or all when it is over.

        `is_fresh` tells that nothing was ever answered on this connection: then there is nobody to start over with.
        """
        replies: list[bytes] = self.exchange.replies
        ended: list[Ending] = []
        for place in range(self._next, len(self._mails)):
            first = self._heard + self._resets[place]
            said = replies[first : first + 3]
            is_said = self._ends[place] <= self.exchange.given_bytes
            if is_said and len(said) == 3 and said[0][:1] == said[1][:1] == said[2][:1] == OK:
                outcome: Outcome | None = accept(said[2], self._mails[place].message_id)
            elif len(said) == 3 or self.exchange.is_over:
                reset = replies[self._heard : first]
                outcome = self._judge(place, reset, said, is_first=is_fresh and not place)
            else:
                break
            ended.append((place, outcome))
            self._heard, self._next = first + 3, place + 1
        return self._not_in_vain(ended) if is_fresh else ended

    def _judge(self, place: int, reset: list[bytes], said: list[bytes], *, is_first: bool) -> Outcome | None:
        """Judge a mail that was not simply taken: by the first reply that is none of success."""
        self.is_refused = True
        if reset and closes(reset[0]):
            return self._closed(reset[0], is_first=is_first)
        if self.is_closing and not said:
            return self._instead
        given = self.exchange.given_bytes
        is_taken = len(said) == 3 and said[1][:1] == said[2][:1] == OK  # whatever the server had against MAIL
        if is_taken and self._ends[place] <= given:
            return accept(said[2], self._mails[place].message_id)
        if is_taken or (said and self._begins(place) >= given):  # an answer to what was not said
            self._lose_step()
            return self._silence(place)
        for phase, reply in zip(PHASES, said, strict=False):
            if reply[:1] in REFUSED:
                self.is_closing |= closes(reply)
                if phase is Phase.SENDER and self.is_closing:
                    return self._closed(reply, is_first=is_first)
                return judge(phase, *parse(reply))
            if reply[:1] != OK:
                self._lose_step()
                break
        return self._silence(place)

    def _closed(self, reply: bytes, *, is_first: bool) -> Outcome | None:
        """Judge a mail before which the server ended the session: another one will do, unless this one had just begun.

        Then no mail is wanted at all, and the next would hear the same.
        """
        self.is_closing = True
        if is_first:
            self._instead = judge(Phase.SENDER, *parse(reply))
        return self._instead

    def _lose_step(self) -> None:
        """Believe no reply from here on: one that answers something else, as 354 does, shows that they are shifted."""
        self.exchange.failure = AnswerGarbled()
        del self.exchange.replies[self._heard :]

    def _silence(self, place: int) -> Outcome | None:
        """Judge a mail about which nothing more was said, by how much of it had left."""
        failure = self.exchange.failure or AnswerGarbled()
        left = self.exchange.given_bytes - self.exchange.kept_bytes
        if self._ends[place] <= left:
            return judge_silence(Phase.FINAL_DOT, failure)
        return judge_silence(Phase.DATA, failure) if self._begins(place) < left else None

    def _begins(self, place: int) -> int:
        return self._ends[place] - len(self._written[place])

    def _not_in_vain(self, ended: list[Ending]) -> list[Ending]:
        """Let no mail go from one fresh connection to the next if this one ended before anything began."""
        failure = self.exchange.failure
        if failure is None or isinstance(failure, TimeoutError) or len(ended) < len(self._mails):
            return ended
        if any(outcome is not None for _, outcome in ended):
            return ended
        lost = judge_silence(Phase.SENDER, failure)
        return [(place, lost) for place, _ in ended]


def parse(reply: bytes) -> tuple[int, str]:
    """Read a reply: its code, and its words without the code before each line."""
    lines = [line[4:].strip() for line in reply.split(b"\n")]
    return int(reply[:3]), b"\n".join(lines).decode(errors="replace")


def closes(reply: bytes) -> bool:
    """Tell whether the server takes nothing after this: what was written behind it was not read, nor begun."""
    return reply.startswith(b"421")
