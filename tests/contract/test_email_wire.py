"""What is said to have stayed here must not leave any more, whichever loop runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import pytest
import uvloop

from functions.deliver_email.pipeline import Exchange, Pipeline

Loop = Callable[[], asyncio.AbstractEventLoop]
EITHER_LOOP = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])

FEW_BYTES = 4096


def narrow_connection() -> tuple[socket.socket, socket.socket]:
    """Connect two sockets whose buffers hold little, so that most of a write stays with the writer."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, FEW_BYTES)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        near = socket.socket()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FEW_BYTES)
        near.connect(listening.getsockname())
        far, _ = listening.accept()
    near.settimeout(0)
    far.settimeout(0)
    return near, far


def read_what_is_there(far: socket.socket) -> int:
    size = 0
    with contextlib.suppress(BlockingIOError, ConnectionResetError):
        while data := far.recv(1 << 20):
            size += len(data)
    return size


async def pipeline_over(near: socket.socket) -> Pipeline:
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=near)
    return Pipeline(transport)


@EITHER_LOOP
def test_bytes_that_had_not_left_at_the_deadline_never_leave(new_loop: Loop) -> None:
    async def check() -> None:
        near, far = narrow_connection()
        pipeline, exchange = await pipeline_over(near), Exchange(3)
        arrived = 0

        def late() -> None:
            nonlocal arrived
            arrived = read_what_is_there(far)  # there is room now, so whoever still tries to write succeeds
            pipeline.give_up()

        asyncio.get_running_loop().call_soon(late)
        await pipeline.say(exchange, [b"x" * 1_000_000], lambda: 1.0)
        await exchange.listen()
        while True:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)  # a turn of the loop
            more = read_what_is_there(far)
            arrived += more
            if not more and is_closed(far):
                break
        far.close()

        assert isinstance(exchange.failure, TimeoutError)
        assert exchange.kept_bytes > 0
        assert arrived <= exchange.given_bytes - exchange.kept_bytes

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())


def is_closed(far: socket.socket) -> bool:
    try:
        return far.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@EITHER_LOOP
def test_a_piece_waits_until_the_one_before_has_left(new_loop: Loop) -> None:
    async def check() -> None:
        near, far = narrow_connection()
        pipeline, exchange = await pipeline_over(near), Exchange(1)
        saying = asyncio.create_task(pipeline.say(exchange, [b"x" * 300_000] * 3, lambda: 1.0))
        arrived, given = 0, list[int]()
        while not saying.done():
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            given.append(exchange.given_bytes)
            arrived += read_what_is_there(far)
            assert exchange.given_bytes <= arrived + 300_000 + 100_000  # what the sockets hold
        while arrived < 900_000:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            arrived += read_what_is_there(far)
        pipeline.cut()
        far.close()

        assert set(given) >= {300_000, 600_000}

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())


@EITHER_LOOP
def test_no_piece_is_begun_after_the_time_is_up(new_loop: Loop) -> None:
    async def check() -> None:
        near, far = narrow_connection()
        pipeline, exchange = await pipeline_over(near), Exchange(1)
        left = [1.0]
        saying = asyncio.create_task(pipeline.say(exchange, [b"x" * 100_000] * 3, lambda: left[0]))
        while not exchange.given_bytes:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        left[0] = 0.0
        while not saying.done():
            read_what_is_there(far)
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        far.close()

        assert isinstance(exchange.failure, TimeoutError)
        assert exchange.given_bytes == 100_000

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())


@EITHER_LOOP
def test_a_connection_that_is_cut_while_something_is_here_counts_the_last_of_it_as_kept(new_loop: Loop) -> None:
    async def check() -> None:
        near, far = narrow_connection()
        pipeline, exchange = await pipeline_over(near), Exchange(1)
        await pipeline.say(exchange, [b"x" * 1_000_000], lambda: 1.0)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        far.close()
        await exchange.listen()

        assert isinstance(exchange.failure, ConnectionError)
        assert 0 < exchange.kept_bytes < 1_000_000

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(check())
