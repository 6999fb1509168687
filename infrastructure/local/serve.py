"""One function, or all sources, as a process of its own: what a container runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import click

from infrastructure.local import manifests
from infrastructure.local.functions import open_broker, open_functions, started
from infrastructure.local.running_sources import Sources
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.targets import HttpTarget
from shared.errors import SettingMissing
from shared.settings import Settings


async def serve(name: str, settings: Settings) -> None:
    """Run one function on HOST:PORT until told to stop; then finish what it holds."""
    if settings.amqp_url is None:
        raise SettingMissing("AMQP_URL is missing: a function of its own needs a broker that others see too")
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        functions = await open_functions(settings, [name], stack)
        server = HttpServer(functions.apps[name], listener)
        await started(stack, server.start, server.stop)
        click.echo(f"{name} is ready: http://{settings.host}:{server.port}")
        await signals.wait()


async def run_sources(
    settings: Settings, addresses: Mapping[str, str], *, batch: bool, folder: Path = manifests.DEFAULT_FOLDER
) -> None:
    """Run every source of the manifests against the functions' addresses until told to stop."""
    known = manifests.read(folder).serving(settings.served())
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        broker = open_broker(settings, is_shared=True)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))  # `parallelism` is the bound
        )
        targets = {
            name: HttpTarget(url, session, batch=batch, timeout_seconds=known.services[name].timeout_seconds)
            for name, url in addresses.items()
            if name in known.services
        }
        for target in targets.values():
            stack.callback(target.close)
        sources = Sources(known, broker, targets)
        await started(stack, broker.start, broker.stop)
        await started(stack, sources.start, sources.stop)
        click.echo("The sources run.")
        await signals.wait()
