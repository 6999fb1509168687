"""The benchmark's load generator against a server that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from infrastructure.bench.load import Order, post
from infrastructure.bench.matching import Answers

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s"
BUSY = b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
LEAVING = b'HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 10\r\n\r\n{"id":"x"}'
CUT = b""

Answer = Callable[[int], bytes]


class Server:
    """It counts requests from 0 and answers each; it holds back until so many are there."""

    def __init__(self, answer: Answer, wait_for: int) -> None:
        self.port, self.messages = 0, list[str]()
        self.connections = self.most_at_once = self.at_once = 0
        self.may_answer, self.talks = asyncio.Event(), set[asyncio.Task[None] | None]()
        self._answer, self._wait_for = answer, wait_for

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.talks.add(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.messages.append(json.loads(await reader.readexactly(length))["data"]["message"])
                number, self.at_once = len(self.messages) - 1, self.at_once + 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                if len(self.messages) >= self._wait_for:
                    self.may_answer.set()
                await self.may_answer.wait()
                self.at_once -= 1
                writer.write(self._answer(number))
                if self._answer(number) in (CUT, LEAVING):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def accept(number: int) -> bytes:
    body = json.dumps({"id": f"id-{number}", "status": "pending"}).encode()
    return ACCEPTED % (len(body), body)


@asynccontextmanager
async def serving(answer: Answer = accept, *, wait_for: int = 0) -> AsyncIterator[Server]:
    known = Server(answer, wait_for)
    server = await asyncio.start_server(known.talk, "127.0.0.1", 0)
    known.port = server.sockets[0].getsockname()[1]
    async with server:
        yield known
        known.may_answer.set()
        await asyncio.wait([talk for talk in known.talks if talk], timeout=5)


async def posted(
    server: Server, count: int, *, connections: int = 4, rate: float | None = None, silence_seconds: float = 15
) -> Answers:
    order = Order(host="127.0.0.1", port=server.port, run="r", count=count, users=2, connections=connections, rate=rate)
    requests = [order.parcels.request(number) for number in range(count)]
    async with asyncio.timeout(30):
        return await post(order, requests, silence_seconds)


async def test_a_closed_loop_posts_each_once_and_never_more_at_once_than_it_has_connections() -> None:
    async with serving(wait_for=4) as server:
        answers = await posted(server, 100, connections=4)

    assert sorted(server.messages) == sorted(f"Parcel #r-{number} is on its way" for number in range(100))
    assert server.most_at_once == 4
    assert answers.statuses == [202] * 100
    assert len(set(answers.ids)) == 100
    times = zip(answers.due, answers.sent, answers.answered, strict=True)
    assert all(0 < due <= sent <= answered for due, sent, answered in times)


async def test_an_open_loop_goes_on_when_no_answer_comes_and_what_waits_was_due_all_the_same() -> None:
    async with serving(wait_for=60) as server:
        answers = await posted(server, 60, rate=500)

    assert server.most_at_once == 60
    assert answers.statuses == [202] * 60
    gaps = [later - sooner for sooner, later in zip(answers.due, answers.due[1:], strict=False)]
    assert gaps == pytest.approx([1 / 500] * 59)


async def test_refusals_and_cut_connections_are_told_apart_and_the_rest_goes_on() -> None:
    fates = {3: BUSY, 5: CUT, 8: LEAVING}

    async with serving(lambda number: fates.get(number, accept(number))) as server:
        answers = await posted(server, 20, connections=2)

    assert sorted(answers.statuses) == [0, *[202] * 18, 503]
    assert len(server.messages) == 20
    assert server.connections >= 3  # whoever is cut off near the end finds nothing left to post
    assert sum(bool(key) for key in answers.ids) == 18


async def test_a_server_that_says_nothing_any_more_is_given_up() -> None:
    async with serving(wait_for=11) as server:
        answers = await posted(server, 10, connections=2, silence_seconds=0.5)

    assert answers.statuses == [0] * 10
    assert len(server.messages) == 2
