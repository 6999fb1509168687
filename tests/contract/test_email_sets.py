"""Sets of letters: as many connections as they need, and what was not begun when no connection or no time was left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from functions.deliver_email import connection, connections
from functions.deliver_email.pace import FIRST
from infrastructure.sandbox.moods import Outage
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from tests.contract.mail_server import (
    ACCEPTED,
    EITHER_WAY,
    FAULT,
    LOCK_STEP,
    NEITHER,
    PERMANENT,
    PIPELINED,
    THROTTLED,
    TRANSIENT,
    client,
    judged,
    kinds,
    letter,
    other_server,
    sandbox,
    send_all,
    until,
)
from tests.contract.pipelined_server import BDAT, CUT, HANG, OFFER, RCPT, RSET, PipelinedServer, pipelined


@EITHER_WAY
async def test_each_letter_of_a_set_ends_as_it_would_alone(way: frozenset[str]) -> None:
    names = ["ada", "refused", "full", "tempfail", "spam", "greylisted", "nobody at all", "fails-1", "bob"] * 5
    async with sandbox(not_offered=way) as server, client(server.url, 4) as provider:
        outcomes = await send_all(provider, [letter(f"{name}@example.test") for name in names])

        nine = [ACCEPTED, PERMANENT, PERMANENT, TRANSIENT, PERMANENT, THROTTLED, PERMANENT, TRANSIENT, ACCEPTED]
        assert kinds(outcomes) == nine * 5
        assert len(server.mailbox) == 10
        assert server.connections_opened <= 4


@EITHER_WAY
async def test_an_empty_set_asks_nobody(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        assert await send_all(provider, []) == []
        assert server.connections_opened == 0


async def test_a_set_that_fits_in_one_write_takes_one_connection() -> None:
    async with sandbox() as server, client(server.url, connections=50) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(FIRST)])

        assert kinds(outcomes) == [ACCEPTED] * FIRST
        assert server.connections_opened == 1


async def test_where_one_mail_goes_at_a_time_a_set_goes_over_many_connections() -> None:
    async with sandbox(not_offered=LOCK_STEP, latency_seconds=0.01) as server, client(server.url, 12) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(60)])

        assert kinds(outcomes) == [ACCEPTED] * 60
        assert server.connections_opened == 12


@EITHER_WAY
async def test_no_letter_fails_because_the_server_allows_fewer_connections(way: frozenset[str]) -> None:
    allowed, moods = 2, {"not_offered": way, "latency_seconds": 0.002}
    async with sandbox(**moods) as server:

        async def only_a_few(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(served) - len(left) >= allowed:
                refused.append(writer)
                writer.write(b"421 4.7.0 too many connections from you\r\n")
                return
            served.append(writer)
            await relay(reader, writer, server.port)
            left.append(writer)

        refused, served, left = list[Any](), list[Any](), list[Any]()
        async with other_server(only_a_few) as url, client(url, connections=20) as provider:
            outcomes = await send_all(provider, [letter() for _ in range(120)])

        assert kinds(outcomes) == [ACCEPTED] * 120
        assert len(server.mailbox) == 120
        assert 0 < len(refused) < 20


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass on what either side says, until one of them is through."""
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            target.write(data)
        target.close()

    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


@EITHER_WAY
@pytest.mark.parametrize(("outage", "kind", "mark"), [(Outage.RESET, TRANSIENT, FAULT), (Outage.BANNER, THROTTLED, "")])
async def test_a_server_that_serves_nobody_is_asked_a_few_times_for_a_whole_set(
    outage: Outage, kind: OutcomeKind, mark: str, way: frozenset[str]
) -> None:
    async with sandbox(not_offered=way, outage=outage) as server, client(server.url, 50) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(100)])

        assert {judged(outcome) for outcome in outcomes if outcome} == {(kind, mark)}
        assert None not in outcomes
        assert server.connections_opened <= connections.AT_FIRST


@EITHER_WAY
async def test_a_session_that_ends_in_the_middle_of_a_set_costs_no_attempt(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way, mails_per_connection=3) as server, client(server.url, 1) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(8)])

        assert kinds(outcomes) == [ACCEPTED] * 8
        assert len(server.mailbox) == 8
        assert server.connections_opened == 3


async def test_a_server_that_says_how_many_mails_a_session_may_have_is_believed() -> None:
    server = PipelinedServer(offer=(*OFFER, "LIMITS MAILMAX=3 RCPTMAX=10"))
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(7)])

    assert kinds(outcomes) == [ACCEPTED] * 7
    assert (server.connections, server.commands.count("QUIT")) == (3, 3)


async def test_an_idle_connection_on_which_the_server_said_goodbye_costs_no_attempt() -> None:
    server = PipelinedServer()
    async with pipelined(server) as url, client(url, 1) as provider:
        first = await provider.send(letter())
        server.script = {(BDAT, 1): b"250 ok\r\n421 4.4.2 idle for too long\r\n"}
        second = await provider.send(letter())
        third = await provider.send(letter())

    assert kinds([first, second, third]) == [ACCEPTED] * 3
    assert server.connections == 2


async def test_a_connection_on_which_something_came_unasked_is_not_used_again() -> None:
    async def speak_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer)
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        while (line := await reader.readline()) and line != b"QUIT\r\n":
            if line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
            writer.write(b"250 ok\r\n")

    connected: list[asyncio.StreamWriter] = []
    async with other_server(speak_up) as url, client(url, 1) as provider:
        first = await provider.send(letter())
        (kept,) = provider._connections._free
        connected[0].write(b"250 by the way\r\n")
        await until(lambda: not kept.mails_left)
        second = await provider.send(letter())

    assert kinds([first, second]) == [ACCEPTED, ACCEPTED]
    assert len(connected) == 2


async def test_a_connection_that_rested_is_asked_before_a_mail_goes_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server hangs up at the moment when the next one begins, so a mail would be in doubt."""
    monkeypatch.setattr(connection, "RESTED_SECONDS", 0.0)
    server = PipelinedServer(script={(RSET, 0): CUT, (RSET, 1): CUT})
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = [await provider.send(letter()) for _ in range(3)]

    assert kinds(outcomes) == [ACCEPTED] * 3
    assert (server.connections, len(server.taken)) == (3, 3)


async def test_a_connection_that_does_not_answer_after_a_rest_is_left_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "RESTED_SECONDS", 0.0)
    monkeypatch.setattr(connection, "ASKING_SECONDS", 0.1)
    server = PipelinedServer(script={(RSET, 0): HANG})
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = [await provider.send(letter()) for _ in range(2)]

    assert kinds(outcomes) == [ACCEPTED] * 2
    assert server.connections == 2


async def test_a_connection_on_which_even_a_reset_is_refused_is_left_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "RESTED_SECONDS", 0.0)
    server = PipelinedServer(script={(RSET, 0): b"500 5.5.1 what?\r\n"})
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = [await provider.send(letter()) for _ in range(2)]

    assert kinds(outcomes) == [ACCEPTED] * 2
    assert server.connections == 2


async def test_a_server_that_answers_before_it_has_read_a_mail_does_not_take_the_next_one_for_its_rest() -> None:
    async def answer_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(b"")
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        while line := await reader.readline():
            conversations[-1] += line[:4]
            if line.startswith(b"BDAT"):
                is_too_big = len(line) > len(b"BDAT 999999 LAST\r\n")
                writer.write(b"552 5.3.4 too big\r\n" if is_too_big else b"250 ok\r\n")
                if is_too_big:
                    await answered.wait()
                await reader.readexactly(int(line.split()[1]))
            else:
                writer.write(b"250 ok\r\n")

    conversations, answered = list[bytes](), asyncio.Event()
    async with other_server(answer_early) as url, client(url, 1, deadline_seconds=60) as provider:
        async with asyncio.timeout(10):  # long before the deadline
            too_big = await provider.send(letter(text="a long line of text\n" * 700_000))
        answered.set()
        afterwards = await provider.send(letter())

    assert kinds([too_big, afterwards]) == [PERMANENT, ACCEPTED]
    assert conversations[1] == b"MAILRCPTBDATQUIT"


@EITHER_WAY
async def test_a_cancelled_set_cuts_its_connections_and_tells_nothing_more(way: frozenset[str]) -> None:
    told: list[tuple[int, Outcome | None]] = []
    hanging = [letter("hang@example.test") for _ in range(20)]
    async with sandbox(not_offered=way) as server, client(server.url, 3) as provider:
        sending = asyncio.create_task(provider.send_set(hanging, told.extend))
        await until(lambda: bool(server.sessions) and all(session.is_waiting for session in server.sessions))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: not server.sessions)

        assert told == []
        assert (await provider.send(letter())).kind is ACCEPTED


async def test_mails_of_one_write_differ_in_what_they_need_of_the_server() -> None:
    server = PipelinedServer(offer=(*OFFER, "SMTPUTF8", "8BITMIME"), held_back=2)
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = await send_all(provider, [letter(), letter("ädä@bücher.example")])

    plain, beyond = [command for command in server.heard if command.startswith(b"MAIL")]
    sizes = [len(text) for text in server.taken]
    assert kinds(outcomes) == [ACCEPTED, ACCEPTED]
    assert plain == b"MAIL FROM:<carillon@example.test> SIZE=%d" % sizes[0]
    assert beyond == b"MAIL FROM:<carillon@example.test> SIZE=%d SMTPUTF8 BODY=8BITMIME" % sizes[1]


@pytest.mark.parametrize("way", [LOCK_STEP, PIPELINED])
async def test_a_failing_adapter_ends_the_set_and_its_connections(
    way: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Outcome:
        raise ZeroDivisionError

    async with sandbox(not_offered=way) as server, client(server.url, 2) as provider:
        monkeypatch.setattr(type(provider._composer), "compose", fail)
        with pytest.raises(ZeroDivisionError):
            await send_all(provider, [letter() for _ in range(20)])
        monkeypatch.undo()

        assert (await provider.send(letter())).kind is ACCEPTED


async def test_a_recipient_that_is_refused_does_not_keep_its_connection_from_the_next_set() -> None:
    server = PipelinedServer(script={(RCPT, number): b"550 5.1.1 no\r\n" for number in range(0, 40, 2)})
    async with pipelined(server) as url, client(url, 1) as provider:
        outcomes = [outcome for _ in range(4) for outcome in await send_all(provider, [letter() for _ in range(10)])]

    assert kinds(outcomes) == [PERMANENT, ACCEPTED] * 20
    assert {judged(outcome) for outcome in outcomes[1::2] if outcome} == {(ACCEPTED, NEITHER)}
    assert server.connections == 1
