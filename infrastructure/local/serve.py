"""One function as a process of its own: what a container runs."""

from __future__ import annotations

from contextlib import AsyncExitStack

import click

from infrastructure.local.functions import open_functions, started
from infrastructure.local.server import HttpServer, StopSignals, listen
from shared.errors import SettingMissing
from shared.settings import Settings


async def serve(name: str, settings: Settings) -> None:
    """Run one function on HOST:PORT until told to stop; then finish what it holds."""
    if settings.amqp_url is None and settings.k_sink is None:
        raise SettingMissing("AMQP_URL is missing: a function of its own needs a broker that others see too, or K_SINK")
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        functions = await open_functions(settings, [name], stack)
        server = HttpServer(functions.apps[name], listener)
        await started(stack, server.start, server.stop)
        click.echo(f"{name} is ready: http://{settings.host}:{server.port}")
        await signals.wait()
