"""The connections of the e-mail provider: few, kept, and let go in time."""

from __future__ import annotations

import asyncio

import pytest

from functions.deliver_email import connection
from tests.contract.mail_server import (
    ACCEPTED,
    EITHER_WAY,
    client,
    letter,
    other_server,
    sandbox,
    until,
)


@EITHER_WAY
async def test_many_mails_share_few_connections(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url, connections=3) as provider:
        outcomes = await asyncio.gather(*[provider.send(letter()) for _ in range(60)])

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
        assert len(server.mailbox) == 60
        assert server.connections_opened == 3


@EITHER_WAY
async def test_a_refusal_leaves_the_connection_in_use(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        for name in ("refused", "ada", "full", "fails-9", "tempfail", "ada"):
            await provider.send(letter(f"{name}@example.test"))

        assert server.connections_opened == 1


@EITHER_WAY
async def test_a_connection_is_replaced_after_a_thousand_mails(
    way: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_MAILS", 10)  # a hundredth of it, for the time it takes
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        for _ in range(11):
            await provider.send(letter())

        assert len(server.mailbox) == 11
        assert server.connections_opened == 2


@EITHER_WAY
async def test_a_session_that_the_server_ends_between_two_mails_costs_no_attempt(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way, mails_per_connection=2) as server, client(server.url) as provider:
        outcomes = [await provider.send(letter()) for _ in range(5)]

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}
        assert server.connections_opened == 3


async def test_a_connection_that_died_in_the_pool_costs_no_attempt() -> None:
    """The server hangs up after each mail, at the moment when the next one begins."""

    async def one_mail_each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 kept\r\n")
        await reader.readline()

    async with other_server(one_mail_each) as url, client(url) as provider:
        outcomes = [await provider.send(letter()) for _ in range(3)]

        assert {outcome.kind for outcome in outcomes} == {ACCEPTED}


@EITHER_WAY
async def test_closing_says_goodbye_to_every_connection(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server:
        async with client(server.url, connections=3) as provider:
            await asyncio.gather(*[provider.send(letter()) for _ in range(3)])
        await until(lambda: not server.sessions)

        assert server.connections_opened == 3


@EITHER_WAY
async def test_a_cancelled_attempt_cuts_its_connection(way: frozenset[str]) -> None:
    async with sandbox(not_offered=way) as server, client(server.url) as provider:
        sending = asyncio.create_task(provider.send(letter("hang@example.test")))
        await until(lambda: bool(server.sessions))
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await until(lambda: not server.sessions)

        assert (await provider.send(letter())).kind is ACCEPTED


async def test_of_a_cancelled_attempt_nothing_more_leaves() -> None:
    """The server stops reading in the middle of a text that no socket's buffers can hold, and goes on later."""

    async def read_on_later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readline()
        text_begun.set()
        await cancelled.wait()
        received.append(await reader.read())

    text_begun, cancelled = asyncio.Event(), asyncio.Event()
    received: list[bytes] = []
    async with other_server(read_on_later) as url, client(url, 1) as provider:
        sending = asyncio.create_task(provider.send(letter(text="a long line of text\n" * 700_000)))
        await text_begun.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        cancelled.set()

    assert not any(b"\r\n.\r\n" in text for text in received)
