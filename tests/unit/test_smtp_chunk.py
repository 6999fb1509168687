"""What is told of a mail is true of what its server did with it, wherever the conversation broke off."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from functions.deliver_email.answers import AnswerGarbled
from functions.deliver_email.chunk import Chunk
from functions.deliver_email.envelope import Mail, Offered
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind

ACCEPTED, AMBIGUOUS, TRANSIENT = OutcomeKind.ACCEPTED, OutcomeKind.AMBIGUOUS, OutcomeKind.TRANSIENT


def mail(number: int) -> Mail:
    return Mail(
        recipient=b"user%d@example.test" % number,
        message=b"Subject: %d\r\n\r\nHi.\r\n" % number,
        message_id=f"<{number}@example.test>",
        is_utf8=False,
    )


def chunk_of(count: int, *, needs_reset: bool = False) -> Chunk:
    offered = Offered(chunking=True, pipelining=True)
    return Chunk([mail(number) for number in range(count)], b"us@example.test", offered, needs_reset=needs_reset)


@dataclass
class Server:
    """A server that keeps an open envelope after a refusal, or does not, and says goodbye after some commands."""

    keeps_envelopes: bool
    refusals: dict[tuple[str, int], bytes]
    goodbye_after: int
    taken: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)

    def read(self, written: bytes) -> None:
        """Obey every command of a write, until goodbye."""
        has_sender, recipients, number = False, list[bytes](), -1
        while written:
            line, _, written = written.partition(b"\r\n")
            verb = line[:4].decode()
            number += verb == "MAIL"
            if len(self.replies) >= self.goodbye_after:
                self.replies.append(b"421 4.3.2 goodbye\r")
                return
            if verb == "RSET":
                has_sender, recipients = False, []
                self.replies.append(b"250 ok\r")
                continue
            out_of_turn = {"MAIL": has_sender, "RCPT": not has_sender, "BDAT": not recipients}[verb]
            said = b"503 5.5.1 out of turn\r" if out_of_turn else self.refusals.get((verb, number), b"250 ok\r")
            self.replies.append(said)
            is_ok = said.startswith(b"2")
            has_sender |= verb == "MAIL" and is_ok
            recipients += [line[9:-1]] * (verb == "RCPT" and is_ok)
            if verb == "BDAT":
                written = written[int(line.split()[1]) :]
                self.taken += recipients * is_ok
                if is_ok or not self.keeps_envelopes:
                    has_sender, recipients = False, []


refusal = st.sampled_from([b"451 4.3.0 no\r", b"550 5.1.1 no\r", b"503 5.5.1 no\r", b"452-4.3.1 no\n452 4.3.1 no\r"])
places = st.tuples(st.sampled_from(["MAIL", "RCPT", "BDAT"]), st.integers(0, 5))


@settings(database=None, deadline=None, max_examples=400)
@given(
    count=st.integers(1, 6),
    refusals=st.dictionaries(places, refusal, max_size=4),
    keeps_envelopes=st.booleans(),
    needs_reset=st.booleans(),
    is_fresh=st.booleans(),
    goodbye_after=st.integers(0, 30),
    heard=st.integers(0, 30),
    pauses=st.sets(st.integers(0, 30)),
    kept=st.integers(0, 200),
)
def test_no_mail_that_was_taken_is_begun_anew_and_none_that_was_not_is_called_accepted(
    count: int,
    refusals: dict[tuple[str, int], bytes],
    keeps_envelopes: bool,
    needs_reset: bool,
    is_fresh: bool,
    goodbye_after: int,
    heard: int,
    pauses: set[int],
    kept: int,
) -> None:
    """Whatever the server refuses, however many of its answers arrive, in whatever pieces, and whatever never left."""
    chunk = chunk_of(count, needs_reset=needs_reset)
    written = b"".join(chunk.pieces)
    kept = min(kept, len(written))
    server = Server(keeps_envelopes, refusals, goodbye_after)
    server.read(_whole_commands(written[: len(written) - kept]))
    exchange = chunk.exchange
    exchange.given_bytes, exchange.kept_bytes = len(written), kept

    told: dict[int, Outcome | None] = {}
    for number, reply in enumerate(server.replies[:heard]):
        exchange.replies.append(reply)
        if number in pauses:
            told |= chunk.endings(is_fresh=is_fresh)
    if not exchange.is_over:
        exchange.failure = ConnectionResetError()
    told |= chunk.endings(is_fresh=is_fresh)

    assert set(told) == set(range(count))
    for number, outcome in told.items():
        was_taken = server.taken.count(b"user%d@example.test" % number)
        assert was_taken <= 1
        if outcome is None or outcome.kind not in {ACCEPTED, AMBIGUOUS}:
            assert not was_taken, f"{number} was taken, and told as {outcome}"
        elif outcome.kind is ACCEPTED:
            assert was_taken, f"{number} was not taken"
            assert outcome.provider_message_id == f"<{number}@example.test>"


def _whole_commands(written: bytes) -> bytes:
    """Leave out the last command where it did not arrive whole, with its text."""
    whole = 0
    while (end := written.find(b"\r\n", whole)) >= 0:
        line = written[whole:end]
        after = end + 2 + (int(line.split()[1]) if line.startswith(b"BDAT") else 0)
        if after > len(written):
            break
        whole = after
    return written[:whole]


def test_what_had_not_left_whole_is_not_in_doubt() -> None:
    chunk = chunk_of(3)
    sizes = [len(b"".join(chunk_of(count).pieces)) for count in (1, 2, 3)]
    chunk.exchange.given_bytes, chunk.exchange.kept_bytes = sizes[2], sizes[2] - sizes[0] - 10
    chunk.exchange.failure = TimeoutError()

    (_, left), (_, half), (_, whole) = chunk.endings(is_fresh=True)

    assert left is not None
    assert half is not None
    assert (left.kind, half.kind, whole) == (AMBIGUOUS, TRANSIENT, None)


def test_what_never_left_a_fresh_connection_that_was_lost_does_not_go_over_the_next_and_the_next() -> None:
    outcomes = []
    for is_fresh in (True, False):
        chunk = chunk_of(2)
        chunk.exchange.failure = ConnectionResetError()
        outcomes.append([outcome and outcome.code for _, outcome in chunk.endings(is_fresh=is_fresh)])

    assert outcomes == [["smtp lost at sender"] * 2, [None, None]]


def test_nothing_behind_an_answer_that_makes_no_sense_is_believed() -> None:
    chunk = chunk_of(3)
    chunk.exchange.given_bytes = len(b"".join(chunk.pieces))
    chunk.exchange.replies += [b"250 ok\r"] * 5 + [b"354 go\r"] + [b"250 ok\r"] * 5

    outcomes = [outcome for _, outcome in chunk.endings(is_fresh=False)]

    assert [outcome.kind for outcome in outcomes if outcome] == [ACCEPTED, AMBIGUOUS, AMBIGUOUS]
    assert isinstance(chunk.exchange.failure, AnswerGarbled)


def test_an_answer_to_what_was_not_said_is_not_believed() -> None:
    told = []
    for said_of_the_second in (0, 20):
        chunk = chunk_of(3)
        chunk.exchange.given_bytes = len(b"".join(chunk_of(1).pieces)) + said_of_the_second
        chunk.exchange.replies += [b"250 ok\r"] * 11

        told.append([outcome.kind if outcome else None for _, outcome in chunk.endings(is_fresh=False)])
        assert isinstance(chunk.exchange.failure, AnswerGarbled)

    assert told == [[ACCEPTED, None, None], [ACCEPTED, TRANSIENT, None]]


def test_a_refusal_of_what_was_not_said_is_not_believed() -> None:
    chunk = chunk_of(3)
    chunk.exchange.given_bytes = len(b"".join(chunk_of(1).pieces))
    chunk.exchange.replies += [b"250 ok\r"] * 3 + [
        b"250 ok\r",
        b"550 5.1.1 no\r",
        b"503 5.5.1 no\r",
        b"503 5.5.1 no\r",
    ] * 2

    outcomes = [outcome for _, outcome in chunk.endings(is_fresh=False)]

    assert [outcome and outcome.kind for outcome in outcomes] == [ACCEPTED, None, None]
    assert isinstance(chunk.exchange.failure, AnswerGarbled)


def test_mails_are_written_together_in_pieces_that_hold_whole_mails() -> None:
    chunk = Chunk(
        [Mail(recipient=b"a@b.test", message=b"x" * 10_000, message_id="", is_utf8=False) for _ in range(7)],
        b"us@example.test",
        Offered(),
        needs_reset=False,
    )

    pieces = list(chunk.pieces)

    assert [piece.count(b"MAIL FROM") for piece in pieces] == [3, 3, 1]
    assert [piece[:4] for piece in pieces] == [b"MAIL", b"RSET", b"RSET"]
