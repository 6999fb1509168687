"""The gateway as a process of its own, before functions that run elsewhere."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import click

from infrastructure.local import manifests
from infrastructure.local.addresses import Addresses
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.in_one_process import LOCAL_ROUTES
from infrastructure.local.proxy import Backend
from infrastructure.local.server import HttpServer, StopSignals, listen
from shared.errors import SettingMissing
from shared.settings import Settings

WITHOUT_MANIFEST_SECONDS = 120.0
"""How long a request may take at what is no Service of the manifests, such as the sandbox."""


async def run_gateway(settings: Settings, addresses: Addresses, *, folder: Path = manifests.DEFAULT_FOLDER) -> None:
    """Pass requests on by the manifests' routes until told to stop.

    Raises:
        SettingMissing: a route leads to a function whose address is not known.
    """
    known = manifests.read(folder)
    named = {route.service for route in known.routes}
    found = addresses.of(named)
    if missing := sorted(named - found.keys()):
        raise SettingMissing(f"no address for {', '.join(missing)}: pass --service NAME=URL, or --at")
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        )
        seconds = {name: float(service.timeout_seconds) for name, service in known.services.items()}
        backends = {
            name: Backend(url, session, timeout_seconds=seconds.get(name, WITHOUT_MANIFEST_SECONDS))
            for name, url in found.items()
        }
        server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), listener)
        await started(stack, server.start, server.stop)
        click.echo(f"The gateway is ready: http://{settings.host}:{server.port}")
        await signals.wait()
