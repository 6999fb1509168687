"""Several mails in one write: what a server answers to one of them, and what becomes of the others."""

from __future__ import annotations

import asyncio

import pytest

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from tests.contract.mail_server import (
    ACCEPTED,
    AMBIGUOUS,
    FAULT,
    IMPATIENT_SECONDS,
    NEITHER,
    PERMANENT,
    SUPPRESS,
    THROTTLED,
    TRANSIENT,
    client,
    judged,
    kinds,
    letter,
    send_all,
    until,
)
from tests.contract.pipelined_server import BDAT, CUT, HANG, MAIL, RCPT, RSET, PipelinedServer, Script, pipelined

NO_USER, OUT_OF_TURN = b"550 5.1.1 no such user\r\n", b"503 5.5.1 out of turn\r\n"


async def exchange(server: PipelinedServer, mails: int, deadline_seconds: float = 15.0) -> list[Outcome | None]:
    """Send so many mails over one connection at a time; up to eight of them go in one write."""
    async with pipelined(server) as url, client(url, 1, deadline_seconds) as provider:
        return await send_all(provider, [letter() for _ in range(mails)])


async def test_several_mails_leave_before_the_first_is_answered() -> None:
    server = PipelinedServer(held_back=5)

    outcomes = await exchange(server, 5)

    assert kinds(outcomes) == [ACCEPTED] * 5
    assert server.commands == "MAIL RCPT BDAT " + "RSET MAIL RCPT BDAT " * 4 + "QUIT"


async def test_a_text_arrives_byte_for_byte_and_its_outcome_names_it() -> None:
    server, sent = PipelinedServer(), [letter(text="one\n.\n..two"), letter(text="Grüße")]

    async with pipelined(server) as url, client(url) as provider:
        outcomes = await send_all(provider, sent)

    assert server.taken[0].endswith(b"\r\n\r\none\r\n.\r\n..two\r\n")
    names = [outcome.provider_message_id if outcome else None for outcome in outcomes]
    assert names == [f"<{each.notification_id}.0@example.test>" for each in sent]
    assert all(str(name).encode() in text for name, text in zip(names, server.taken, strict=True))


async def test_answers_in_pieces_are_put_together() -> None:
    server = PipelinedServer(drip=True, held_back=3, script={(RCPT, 1): b"550-5.1.1 no\r\n550 5.1.1 such user\r\n"})

    outcomes = await exchange(server, 3)

    assert kinds(outcomes) == [ACCEPTED, PERMANENT, ACCEPTED]


REFUSALS: list[tuple[Script, OutcomeKind, str, str]] = [
    ({(MAIL, 1): b"451 4.3.0 not now\r\n"}, TRANSIENT, FAULT, "smtp 451 4.3.0"),
    ({(MAIL, 1): b"552 5.3.4 too big\r\n"}, PERMANENT, NEITHER, "smtp 552 5.3.4"),
    ({(MAIL, 1): b"530 5.7.0 log in\r\n"}, TRANSIENT, FAULT, "smtp 530 5.7.0"),
    ({(RCPT, 1): NO_USER}, PERMANENT, SUPPRESS, "smtp 550 5.1.1"),
    ({(RCPT, 1): NO_USER, (BDAT, 1): b"554 5.5.1 no valid recipients\r\n"}, PERMANENT, SUPPRESS, "smtp 550 5.1.1"),
    ({(RCPT, 1): b"451 4.7.1 greylisted for 300 seconds\r\n"}, THROTTLED, NEITHER, "smtp 451 4.7.1"),
    ({(BDAT, 1): b"452 4.3.1 disk full\r\n"}, TRANSIENT, NEITHER, "smtp 452 4.3.1"),
    ({(BDAT, 1): b"554 5.7.1 spam\r\n"}, PERMANENT, NEITHER, "smtp 554 5.7.1"),
    ({(BDAT, 1): b"421 4.3.2 shutting down\r\n"}, THROTTLED, NEITHER, "smtp 421 4.3.2"),
]


@pytest.mark.parametrize(("script", "kind", "mark", "code"), REFUSALS)
async def test_a_refusal_is_about_one_mail_alone(script: Script, kind: OutcomeKind, mark: str, code: str) -> None:
    server = PipelinedServer(script=script, held_back=4)

    outcomes = await exchange(server, 4)

    refused = outcomes.pop(1)
    assert refused is not None
    assert (*judged(refused), refused.code) == (kind, mark, code)
    assert kinds(outcomes) == [ACCEPTED] * 3
    assert (server.connections, len(server.taken)) == (1, 3)


async def test_after_a_refusal_the_next_write_begins_with_a_reset() -> None:
    server = PipelinedServer(script={(RCPT, 0): NO_USER})
    async with pipelined(server) as url, client(url) as provider:
        await provider.send(letter())
        await provider.send(letter())
        await provider.send(letter())

    assert server.commands == "MAIL RCPT BDAT RSET MAIL RCPT BDAT MAIL RCPT BDAT QUIT"


@pytest.mark.parametrize("script", [{(RCPT, 1): NO_USER}, {(MAIL, 1): NO_USER}, {(BDAT, 1): b"452 4.3.1 full\r\n"}])
@pytest.mark.parametrize("keeps_envelopes", [True, False])
async def test_a_server_that_is_not_through_with_a_refused_mail_mixes_up_no_two(
    script: Script, *, keeps_envelopes: bool
) -> None:
    """After a refusal Exim keeps the envelope open; others take everything for out of turn, until RSET."""
    server = PipelinedServer(
        script=script, held_back=4, keeps_envelopes=keeps_envelopes, needs_reset=not keeps_envelopes
    )

    outcomes = await exchange(server, 4)

    assert [outcome.kind is ACCEPTED for outcome in outcomes if outcome] == [True, False, True, True]
    assert (len(set(server.taken)), len(server.taken), server.connections) == (3, 3, 1)
    assert server.reached == [1, 1, 1]


async def test_a_server_that_calls_every_mail_out_of_turn_is_not_asked_for_ever() -> None:
    server = PipelinedServer(script={(MAIL, number): OUT_OF_TURN for number in range(100)})

    outcomes = await exchange(server, 3)

    assert set(kinds(outcomes)) == {TRANSIENT}
    assert server.mails < 9


@pytest.mark.parametrize("answered", range(13))
async def test_a_cut_leaves_in_doubt_only_what_was_not_answered(answered: int) -> None:
    place = (MAIL, RCPT, BDAT)[answered % 3], answered // 3
    server = PipelinedServer(script={place: CUT}, held_back=4)

    outcomes = await exchange(server, 4)

    done = answered // 3
    assert kinds(outcomes) == [ACCEPTED] * done + [AMBIGUOUS] * (4 - done)
    assert {outcome.code for outcome in outcomes[done:] if outcome} <= {"smtp lost at final dot"}


async def test_after_a_cut_the_next_write_puts_one_mail_in_doubt_and_then_more_again() -> None:
    server = PipelinedServer(script={(BDAT, 0): CUT}, held_back=4)

    async with pipelined(server) as url, client(url, 1) as provider:
        broken = await send_all(provider, [letter() for _ in range(4)])
        server.heard.clear()
        whole = await send_all(provider, [letter() for _ in range(4)])

    assert kinds(broken) == [AMBIGUOUS] * 4
    assert kinds(whole) == [ACCEPTED] * 4
    one, two = "MAIL RCPT BDAT ", "MAIL RCPT BDAT RSET MAIL RCPT BDAT "
    assert server.commands == one + two + one + "QUIT"


async def test_a_refusal_that_was_heard_before_a_cut_is_no_doubt() -> None:
    server = PipelinedServer(script={(RCPT, 1): NO_USER, (BDAT, 1): CUT}, held_back=3)

    outcomes = await exchange(server, 3)

    assert kinds(outcomes) == [ACCEPTED, PERMANENT, AMBIGUOUS]


@pytest.mark.parametrize("place", [(MAIL, 2), (RSET, 1)])
async def test_what_stood_behind_a_goodbye_was_not_read_and_goes_over_another_connection(
    place: tuple[bytes, int],
) -> None:
    closing = b"421 4.7.0 enough for one session\r\n"
    server = PipelinedServer(script={(RCPT, 0): NO_USER, place: closing, (RCPT, 2): CUT}, held_back=4)

    outcomes = await exchange(server, 4)

    assert kinds(outcomes) == [PERMANENT, ACCEPTED, ACCEPTED, ACCEPTED]
    assert (len(server.taken), server.connections) == (3, 2)


async def test_a_server_that_says_goodbye_and_stays_is_left_all_the_same() -> None:
    server = PipelinedServer(script={(MAIL, number): b"421 4.7.0 that is enough\r\n" for number in range(1, 9)})
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = [await provider.send(letter()) for _ in range(3)]

    assert kinds(outcomes) == [ACCEPTED, THROTTLED, THROTTLED]
    assert (server.connections, server.mails) == (3, 3)


async def test_a_server_that_says_goodbye_to_the_first_mail_gets_no_other() -> None:
    server = PipelinedServer(script={(MAIL, 0): b"421 4.3.2 not today\r\n", (RCPT, 0): CUT}, held_back=4)

    outcomes = await exchange(server, 4)

    assert kinds(outcomes) == [THROTTLED] * 4
    assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"?!# no reply code at all\r\n",
        b"5?! nor this\r\n",
        b"354 go ahead\r\n",
        b"250" + b"-x" * 40_000,
        b"250-more\r\n" * 10_000,
    ],
)
async def test_an_answer_that_makes_no_sense_ends_the_connection_and_leaves_the_rest_in_doubt(
    said: bytes,
) -> None:
    server = PipelinedServer(script={(BDAT, 1): said, (RSET, 1): HANG}, held_back=3)

    outcomes = await exchange(server, 3)

    assert kinds(outcomes) == [ACCEPTED, AMBIGUOUS, AMBIGUOUS]
    assert {outcome.code for outcome in outcomes[1:] if outcome} == {"smtp garbled at final dot"}


async def test_more_answers_than_were_asked_for_end_the_connection() -> None:
    server = PipelinedServer(script={(BDAT, 1): b"250 ok\r\n250 ok\r\n"})
    async with pipelined(server) as url, client(url, 1) as provider:
        first = await send_all(provider, [letter(), letter()])
        second = await send_all(provider, [letter()])

    assert kinds([*first, *second]) == [ACCEPTED] * 3
    assert server.connections == 2


async def test_a_deadline_in_the_middle_of_a_write_leaves_in_doubt_what_had_left_and_begins_nothing_more() -> None:
    server = PipelinedServer(script={(BDAT, 2): HANG})

    outcomes = await exchange(server, 12, deadline_seconds=IMPATIENT_SECONDS * 2)

    assert kinds(outcomes) == [ACCEPTED] * 2 + [AMBIGUOUS] * 6 + [None] * 4
    assert {outcome.code for outcome in outcomes[2:8] if outcome} == {"smtp timeout at final dot"}


async def test_what_has_ended_is_told_while_another_mail_of_the_same_write_hangs() -> None:
    server = PipelinedServer(script={(BDAT, 2): HANG})
    told: list[tuple[int, Outcome | None]] = []
    letters = [letter() for _ in range(4)]

    async with pipelined(server) as url, client(url, 1) as provider:
        sending = asyncio.create_task(provider.send_set(letters, told.extend))
        await until(lambda: len(told) == 2)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert [place for place, _ in told] == [0, 1]
