"""What the e-mail provider does when the time is up, and when this process was stopped meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from functions.deliver_email.envelope import Mail
from shared.outcomes import Letter
from tests.contract.mail_server import (
    ACCEPTED,
    AMBIGUOUS,
    EITHER_WAY,
    FAULT,
    IMPATIENT_SECONDS,
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
from tests.contract.pipelined_server import BDAT, OFFER, PipelinedServer, pipelined


@EITHER_WAY
async def test_what_finds_no_connection_by_the_deadline_was_not_begun(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, 1) as provider:
        hanging = asyncio.create_task(provider.send(letter("hang@example.test")))
        await until(lambda: bool(server.sessions))
        provider.deadline_seconds = IMPATIENT_SECONDS
        outcomes = await send_all(provider, [letter() for _ in range(3)])
        hanging.cancel()

        assert outcomes == [None] * 3
        assert len(server.mailbox) == 0


@EITHER_WAY
async def test_a_server_that_cannot_be_reached_by_the_deadline_is_at_fault(way: frozenset[str]) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with other_server(say_nothing) as url, client(url, 4, IMPATIENT_SECONDS) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(20)])

    assert {judged(outcome) for outcome in outcomes if outcome} == {(TRANSIENT, FAULT)}
    assert {outcome.code for outcome in outcomes if outcome} == {"smtp timeout at connect"}
    assert None not in outcomes


class Stopped:
    """A clock of a process that is stopped for a minute when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def stop_for_a_minute(self) -> None:
        self.now += 60


@pytest.mark.parametrize("offer", [(), OFFER])
async def test_a_process_that_was_stopped_while_it_connected_begins_nothing(offer: tuple[str, ...]) -> None:
    clock, heard = Stopped(), list[bytes]()

    async def stop_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        clock.stop_for_a_minute()
        writer.write("".join(f"250-{line}\r\n" for line in offer).encode() + b"250 hi\r\n")
        heard.append(await reader.read())

    async with other_server(stop_it) as url, client(url, 2, clock=clock) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(12)])

    assert outcomes == [None] * 12
    assert b"".join(heard).replace(b"QUIT\r\n", b"") == b""


@EITHER_WAY
async def test_a_process_that_was_stopped_while_it_composed_begins_nothing(
    way: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Stopped()
    async with sandbox(not_offered=way) as server, client(server.url, 1, clock=clock) as provider:
        compose = provider._composer.compose

        def slowly(_: Any, wanted: Letter) -> Mail:
            clock.stop_for_a_minute()
            return compose(wanted)

        monkeypatch.setattr(type(provider._composer), "compose", slowly)
        outcomes = await send_all(provider, [letter() for _ in range(3)])

        assert outcomes == [None] * 3
        assert len(server.mailbox) == 0


async def test_a_process_that_was_stopped_between_two_writes_begins_nothing_more() -> None:
    clock, server = Stopped(), PipelinedServer(held_back=8)

    class Noticing(dict[tuple[bytes, int], bytes]):
        def get(self, key: Any, default: Any = None) -> Any:
            if key == (BDAT, 7):
                clock.stop_for_a_minute()
            return super().get(key, default)

    server.script = Noticing()
    async with pipelined(server) as url, client(url, 1, clock=clock) as provider:
        outcomes = await send_all(provider, [letter() for _ in range(12)])

    assert kinds(outcomes) == [ACCEPTED] * 8 + [None] * 4
    assert len(server.taken) == 8


async def test_a_process_that_was_stopped_before_the_text_of_a_mail_sends_no_text() -> None:
    clock = Stopped()

    async def stop_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            if answer.startswith(b"354"):
                clock.stop_for_a_minute()
            writer.write(answer)
        heard.append(await reader.read())

    heard: list[bytes] = []
    async with other_server(stop_it) as url, client(url, 1, clock=clock) as provider:
        (outcome,) = await send_all(provider, [letter()])

    assert outcome is not None
    assert (*judged(outcome), outcome.code) == (TRANSIENT, FAULT, "smtp timeout at data")
    assert heard == [b""]


async def test_a_letter_behind_a_big_one_that_the_server_does_not_read_is_not_begun() -> None:
    async def read_little(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readline()
        writer.write(b"250-hi\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        await given_up.wait()
        received.append(await reader.read())

    given_up, received = asyncio.Event(), list[bytes]()
    sent = [letter(), letter(text="a long line of text\n" * 700_000), letter()]
    async with other_server(read_little) as url, client(url, 1, deadline_seconds=2) as provider:
        outcomes = await send_all(provider, sent)
        given_up.set()

    assert kinds(outcomes) == [AMBIGUOUS, TRANSIENT, None]
    assert [outcome.code for outcome in outcomes if outcome] == ["smtp timeout at final dot", "smtp timeout at data"]
    assert received[0].count(b"MAIL FROM") == 2
