"""Several whole processes on one address: they take requests from one socket, and messages from the same queues.

Nothing else is shared but the database and the broker, so it is what several pods are. It pays where one process has
the processor to itself and others stand idle.
"""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import aiohttp

from infrastructure.local import manifests
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.in_one_process import LOCAL_ROUTES, in_one_process
from infrastructure.local.processes import LOOPBACK, Command, Supervisor, carillon, free_port
from infrastructure.local.proxy import Backend
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.targets import AsgiApp
from shared.settings import Settings

SANDBOX = "sandbox"


def describe(
    count: int, listener: socket.socket, folder: Path, sandbox_url: str | None, **environment: str
) -> list[Command]:
    """Describe the workers. The first one ticks; each has an address of its own, by which it is watched."""
    listener.set_inheritable(True)
    commands = []
    for number in range(count):
        arguments = ["worker", str(listener.fileno()), "--manifests", str(folder)]
        arguments += ["--sandbox", sandbox_url] if sandbox_url else []
        arguments += [] if number == 0 else ["--no-ticks"]
        command = carillon(f"worker-{number + 1}", *arguments, port=free_port(), **environment)
        commands.append(replace(command, sockets=(listener.fileno(),)))
    return commands


async def start_workers(commands: list[Command], stack: AsyncExitStack) -> None:
    """Start the workers, and keep them alive until the stack unwinds."""
    supervisor = Supervisor(commands)
    await started(stack, supervisor.start, supervisor.stop)


async def work(settings: Settings, descriptor: int, *, folder: Path, sandbox_url: str | None, ticks: bool) -> None:
    """Be one of the workers until told to stop."""
    known = manifests.read(folder)
    known = known if ticks else replace(known, ping_sources=())
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        shared = stack.enter_context(socket.socket(fileno=descriptor))
        own = stack.enter_context(listen(LOOPBACK, settings.port))
        backends: dict[str, AsgiApp] = await in_one_process(settings, known, stack)
        if sandbox_url:
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            backends[SANDBOX] = Backend(sandbox_url, session)
        server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), shared, own)
        await started(stack, server.start, server.stop)
        await signals.wait()
