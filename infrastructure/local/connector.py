"""All sources as a process of its own: what carries messages to functions where no Knative does."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import click
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.local import manifests
from infrastructure.local.addresses import Addresses
from infrastructure.local.functions import open_broker, started
from infrastructure.local.health import READY, alive
from infrastructure.local.running_sources import Sources
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.targets import HttpTarget
from shared.broker.protocol import Broker
from shared.errors import SettingMissing
from shared.settings import Settings


async def run_sources(
    settings: Settings,
    addresses: Addresses,
    *,
    batch: bool,
    is_watched: bool = False,
    folder: Path = manifests.DEFAULT_FOLDER,
) -> None:
    """Run every source of the manifests against the functions' addresses until told to stop."""
    known = manifests.read(folder).serving(settings.served())
    if known.broker is not None:
        raise SettingMissing(
            f"the Broker {known.broker} has no queues that anybody else could read: `carillon up` runs it"
        )
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        broker = open_broker(settings, is_shared=True)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))  # `parallelism` is the bound
        )
        targets = {
            name: HttpTarget(url, session, batch=batch, timeout_seconds=known.services[name].timeout_seconds)
            for name, url in addresses.of(known.services).items()
            if name in known.services
        }
        for target in targets.values():
            stack.callback(target.close)
        sources = Sources(known, broker, targets)
        if is_watched:
            listener = stack.enter_context(listen(settings.host, settings.port))
            server = HttpServer(_health(broker), listener)
            await started(stack, server.start, server.stop)
        await started(stack, broker.start, broker.stop)
        await started(stack, sources.start, sources.stop)
        click.echo("The sources run.")
        await signals.wait()


def _health(broker: Broker) -> Starlette:
    """Tell whether the sources can work: they need the broker and nothing else."""

    async def ready(request: Request) -> Response:
        is_ready = broker.is_ready
        said = {"status": "ok" if is_ready else "unavailable", "broker": is_ready}
        return JSONResponse(said, status_code=200 if is_ready else 503)

    return Starlette(routes=[Route(READY, ready), alive()])
