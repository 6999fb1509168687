"""A source's requests, to a server that keeps to HTTP and to some that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from infrastructure.local.posting import Poster

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
PATIENCE_SECONDS = 5.0


class Served:
    """A server that answers each request with the next of its answers, and remembers what it read."""

    def __init__(self, *answers: bytes, closes_after: int = 10**6) -> None:
        self.answers, self.closes_after = list(answers), closes_after
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        self.connections += 1
        for _ in range(self.closes_after):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()


@asynccontextmanager
async def posting_to(serve: Serve, path: str = "/") -> AsyncIterator[Poster]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    poster = Poster(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}")
    try:
        yield poster
    finally:
        poster.close()
        server.close()
        await asyncio.sleep(0.01)  # both ends let go in the next turns of the loop


async def test_a_request_says_what_it_was_given_and_its_answer_is_a_status() -> None:
    server = Served(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy")

    async with posting_to(server.serve, "/in?a=1") as poster:
        status = await poster.post([("ce-id", "1"), ("content-type", "text/plain")], b"hello", PATIENCE_SECONDS)

    assert status == 503
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /in?a=1 HTTP/1.1\r\nhost: 127.0.0.1:")
    assert b"\r\nce-id: 1\r\ncontent-type: text/plain\r\ncontent-length: 5" in head
    assert body == b"hello"


async def test_a_connection_is_kept_for_the_next_request_and_requests_at_once_have_their_own() -> None:
    server = Served(OK)

    async with posting_to(server.serve) as poster:
        for _ in range(3):
            await poster.post([], b"", PATIENCE_SECONDS)
        one_after_the_other = server.connections
        await asyncio.gather(*[poster.post([], b"", PATIENCE_SECONDS) for _ in range(4)])

    assert (one_after_the_other, server.connections) == (1, 4)


async def test_a_connection_that_nobody_kept_is_replaced_and_the_request_sent_again() -> None:
    server = Served(OK, closes_after=1)

    async with posting_to(server.serve) as poster:
        statuses = [await poster.post([], b"", PATIENCE_SECONDS) for _ in range(3)]

    assert statuses == [204, 204, 204]
    assert server.connections == 3


async def test_an_answer_that_says_so_ends_the_connection() -> None:
    server = Served(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")

    async with posting_to(server.serve) as poster:
        await poster.post([], b"", PATIENCE_SECONDS)
        await poster.post([], b"", PATIENCE_SECONDS)

    assert server.connections == 2


async def test_an_interim_answer_is_none() -> None:
    server = Served(b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)

    async with posting_to(server.serve) as poster:
        assert await poster.post([], b"", PATIENCE_SECONDS) == 204


async def test_no_answer_in_time_is_a_timeout_and_its_connection_is_used_no_more() -> None:
    asked = 0

    async def slow_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await reader.readuntil(b"\r\n\r\n"):
            asked += 1
            if asked > 1:
                writer.write(OK)

    async with posting_to(slow_at_first) as poster:
        with pytest.raises(TimeoutError):
            await poster.post([], b"", 0.01)
        assert await poster.post([], b"", PATIENCE_SECONDS) == 204


async def test_a_request_that_is_given_up_leaves_no_half_answer_for_the_next_one() -> None:
    server = Served(b"HTTP/1.1 500 Late\r\ncontent-length: 0\r\n\r\n", OK)
    may_answer = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        await server.serve(reader, writer)

    async with posting_to(late) as poster:
        given_up = asyncio.create_task(poster.post([], b"1", PATIENCE_SECONDS))
        await asyncio.sleep(0.01)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        server.answers = [OK]
        may_answer.set()

        assert await poster.post([], b"2", PATIENCE_SECONDS) == 204


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", b"SMTP ready\r\n", b""])
async def test_half_an_answer_or_none_is_a_failure_of_the_connection(answer: bytes) -> None:
    server = Served(answer, closes_after=1)

    async with posting_to(server.serve) as poster:
        with pytest.raises(ConnectionError):
            await poster.post([], b"", PATIENCE_SECONDS)


async def test_where_nobody_listens_there_is_no_answer() -> None:
    async with posting_to(Served(OK).serve) as poster:
        pass

    with pytest.raises(ConnectionRefusedError):
        await poster.post([], b"", PATIENCE_SECONDS)
