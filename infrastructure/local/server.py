"""Serve an ASGI application inside a loop that is ours: its start, its end and its signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from infrastructure.local.applications import AsgiApp, Dismissing
from shared.errors import Permanent

DRAIN_SECONDS = 15
BACKLOG = 4096
"""Connections that wait to be taken, as far as the system allows (`somaxconn`). When thousands come back at once, those
beyond it are told nothing, and try again after seconds, then after twice as many.
"""
FORCED = 130


class PortTaken(Permanent):
    """This address cannot be listened on: somebody else does, or it is not ours."""


def listen(host: str, port: int) -> socket.socket:
    """Take the address first: a port that is taken is known before anything is started.

    Raises:
        PortTaken: it is, or it cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as unknown:
        raise PortTaken(f"HOST is {host}, which is no address here: {unknown.strerror}.") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # accepted connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LONGEST_SILENCE_SECONDS * 1000)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as failure:
        listener.close()
        if failure.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} on {host} is taken: stop what listens there, or set PORT.") from None
        raise PortTaken(f"Cannot listen on port {port} of {host}: {failure.strerror}.") from None
    return listener


LONGEST_SILENCE_SECONDS = 30
"""So long the kernel waits for a client that takes nothing of what was sent, then it breaks the connection. Without it
a reader that stands still, or that vanished without a word, would hold what was written for it until TCP gives up.
"""

KEEP_ALIVE_SECONDS = 75
"""How long a connection may rest. Whoever stands in front keeps one for up to 60 s: if we close it first, the request
that is on its way meets nobody.
"""


PING_SECONDS = 20.0
"""So often every WebSocket is asked whether its client lives, by the protocol's own ping, and so long may the answer
take: a dead one is gone after twice that. A living client hears from us as often.
"""

LARGEST_FRAME_BYTES = 65_536
"""Of a client. A function may take less, and says so itself."""


class _Quiet(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when it answers."""
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `StopSignals`: more than HTTP has to end."""
        yield


class HttpServer:
    """One application on a listening socket, or on several."""

    def __init__(self, app: AsgiApp, *listeners: socket.socket, ping_seconds: float = PING_SECONDS) -> None:
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            backlog=BACKLOG,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # nobody here asks who called; the wrapper costs every request
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            ws_ping_interval=ping_seconds,
            ws_ping_timeout=ping_seconds,
            ws_max_size=LARGEST_FRAME_BYTES,
            ws_per_message_deflate=False,  # 40 KB for each of ten thousand, to shorten frames of some hundred bytes
        )
        self._server = _Quiet(config)
        self._app, self._listeners = app, listeners
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, the first of several."""
        return int(self._listeners[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._server.serve(sockets=list(self._listeners)))
        await self._server.is_up.wait()

    async def stop(self) -> None:
        """Take no more requests, and let those under way finish; who would stay for ever is asked to go first."""
        if isinstance(self._app, Dismissing):
            await self._app.dismiss()
        self._server.should_exit = True
        if self._task:
            await self._task


class StopSignals:
    """The first Ctrl-C or SIGTERM asks to stop in order; a second one ends the process at once.

    Before `wait` the first one cancels the task that starts things, so that a start that hangs can be given up.
    """

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._starting = asyncio.current_task()

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._ask)
        return self

    def __exit__(self, *_: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    async def wait(self) -> None:
        """Return when asked to stop."""
        self._starting = None
        await self._asked.wait()

    def _ask(self) -> None:
        if self._asked.is_set():
            os._exit(FORCED)  # what this process started ends with it
        self._asked.set()
        if self._starting:
            self._starting.cancel()
