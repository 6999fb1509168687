"""Several processes on one address: some answer requests, from one socket, and the others work on the queues.

Nothing else is shared but the database and the broker, so it is what several pods are. Requests and queues are apart
because sets make the steps cheap: of two processes that did both, each had half as many events at a time, and all
together cost a third more (docs/decisions/0012-workers.md). Where the queues are more than those can do, the others
help (docs/decisions/0049-who-answers-helps.md).
"""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import aiohttp

from infrastructure.local import manifests
from infrastructure.local.applications import AsgiApp
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.in_one_process import LOCAL_ROUTES, in_one_process
from infrastructure.local.processes import LOOPBACK, Command, Supervisor, carillon, free_port
from infrastructure.local.proxy import Backend
from infrastructure.local.records import QueueSource
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.sources import MIN_PREFETCH
from shared.settings import Settings

SANDBOX = "sandbox"

HELPING = -1
"""The priority of those who consume only what the others have no room for."""


class Part(StrEnum):
    """What a worker does."""

    REQUESTS = "requests"
    QUEUES = "queues"
    QUEUES_AND_CLOCK = "queues-and-clock"  # one of them gives the ticks, too


def parts(count: int) -> list[Part]:
    """Share the work among so many workers: a third of them answers, for the steps cost twice what the intake does."""
    answering = max(1, count // 3)
    queues = [Part.QUEUES_AND_CLOCK, *[Part.QUEUES] * (count - answering - 1)]
    return [*queues, *[Part.REQUESTS] * answering]


def share(source: QueueSource, part: Part) -> QueueSource:
    """Say how a worker takes part in a queue: so that what waits stays where another one can take it.

    Who answers requests takes what the others have no room for, one set after the other: several at once were smaller.
    """
    if part is Part.REQUESTS:
        return replace(source, prefetch=MIN_PREFETCH, priority=HELPING, parallelism=1)
    return replace(source, prefetch=MIN_PREFETCH)


def describe(
    count: int, listener: socket.socket, folder: Path, sandbox_url: str | None, **environment: str
) -> list[Command]:
    """Describe the workers. Each has an address of its own, by which it is watched."""
    listener.set_inheritable(True)
    commands = []
    for number, part in enumerate(parts(count), start=1):
        arguments = ["worker", str(listener.fileno()), "--part", part.value, "--manifests", str(folder)]
        arguments += ["--sandbox", sandbox_url] if sandbox_url else []
        command = carillon(f"worker-{number}", *arguments, port=free_port(), **environment)
        commands.append(replace(command, sockets=(listener.fileno(),)))
    return commands


async def start_workers(commands: list[Command], stack: AsyncExitStack) -> None:
    """Start the workers, and keep them alive until the stack unwinds."""
    supervisor = Supervisor(commands)
    await started(stack, supervisor.start, supervisor.stop)


async def work(settings: Settings, descriptor: int, *, folder: Path, sandbox_url: str | None, part: Part) -> None:
    """Be one of the workers until told to stop."""
    known = manifests.read(folder).serving(settings.served())
    if part is not Part.QUEUES_AND_CLOCK:
        known = replace(known, ping_sources=())
    known = replace(known, queue_sources=tuple(share(source, part) for source in known.queue_sources))
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        shared = stack.enter_context(socket.socket(fileno=descriptor))
        own = stack.enter_context(listen(LOOPBACK, settings.port))
        backends: dict[str, AsgiApp] = await in_one_process(settings, known, stack)
        if sandbox_url:
            session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
            backends[SANDBOX] = Backend(sandbox_url, session)
        listeners = [shared, own] if part is Part.REQUESTS else [own]
        server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), *listeners)
        await started(stack, server.start, server.stop)
        await signals.wait()
