"""The sandbox as a process of its own, for functions that run elsewhere."""

from __future__ import annotations

from contextlib import AsyncExitStack

import click
from starlette.applications import Starlette
from starlette.routing import Mount

from infrastructure.local.functions import started
from infrastructure.local.health import alive
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.sandbox.routes import sandbox_app
from infrastructure.sandbox.sandbox import Sandbox, stand_ins
from shared.auth import Keys
from shared.settings import Settings


async def run_sandbox(settings: Settings, *, smtp_port: int, providers_port: int) -> None:
    """Stand in for every provider until told to stop. Twilio's stand-in has the TWILIO_AUTH_TOKEN of its senders."""
    token = settings.twilio_auth_token
    sandbox = Sandbox(stand_ins(token.get_secret_value() if token else None))
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        stack.push_async_callback(sandbox.stop)
        await sandbox.start(settings.host, smtp_port=smtp_port, http_port=providers_port)
        face = sandbox_app(sandbox.mailbox, sandbox.moods, Keys(settings))
        server = HttpServer(Starlette(routes=[alive(), Mount("/", app=face)]), listener)
        await started(stack, server.start, server.stop)
        click.echo(f"The sandbox is ready: http://{settings.host}:{server.port}")
        await signals.wait()
