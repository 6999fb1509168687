"""Every function of the manifests in a process of its own, and the sources or Triggers that feed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp

from infrastructure.local.applications import AsgiApp
from infrastructure.local.functions import started
from infrastructure.local.knative_broker import KnativeBroker
from infrastructure.local.processes import Command, Supervisor, carillon, free_port
from infrastructure.local.proxy import Backend
from infrastructure.local.records import Manifests
from infrastructure.local.running_sources import Sources
from infrastructure.local.targets import HttpTarget
from shared.broker.in_process import InProcessBroker


async def one_process_each(
    environment: Mapping[str, str], known: Manifests, stack: AsyncExitStack, *, batch: bool
) -> dict[str, AsgiApp]:
    """Start the functions and what feeds them; return what passes requests on, by the name of its service."""
    broker, told = KnativeBroker(known.triggers), dict(environment)
    if known.broker is not None:
        told["K_SINK"] = await broker.listen(stack)
    functions = [carillon(name, "serve", name, port=free_port(), **told) for name in known.services]
    supervisor = Supervisor(functions)
    await started(stack, supervisor.start, supervisor.stop)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
    )
    if known.broker is None:
        sources = Supervisor([carry(functions, known.folder, batch=batch)])
        await started(stack, sources.start, sources.stop)
    else:
        await _triggers(broker, known, functions, session, stack)
    return {
        one.name: Backend(one.url, session, timeout_seconds=known.services[one.name].timeout_seconds)
        for one in functions
    }


def carry(functions: Sequence[Command], folder: Path | None, *, batch: bool) -> Command:
    """Describe the process of the sources, those of the same manifests: they are at work for every function."""
    addresses = [part for one in functions for part in ("--service", f"{one.name}={one.url}")]
    read_from = ["--manifests", str(folder)] if folder else []
    together = ["--batch"] if batch else []
    return carillon("sources", "sources", *together, *read_from, *addresses)


async def _triggers(
    broker: KnativeBroker,
    known: Manifests,
    functions: Sequence[Command],
    session: aiohttp.ClientSession,
    stack: AsyncExitStack,
) -> None:
    """Run the Triggers and the ticks here, beside their Broker."""
    targets = {
        one.name: HttpTarget(one.url, session, timeout_seconds=known.services[one.name].timeout_seconds)
        for one in functions
    }
    for target in targets.values():
        stack.callback(target.close)
    ticks = Sources(known, InProcessBroker(), targets)  # there is no source among them that reads a queue
    await started(stack, ticks.start, ticks.stop)
    await broker.deliver(targets, stack)
