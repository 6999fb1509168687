"""Bring a whole Carillon up on this machine, and take it down again in order."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import click
from pydantic import SecretStr

from infrastructure.local import manifests
from infrastructure.local.demo_data import put_demo_people
from infrastructure.local.functions import open_functions, started
from infrastructure.local.gateway import Gateway
from infrastructure.local.processes import Supervisor, carillon, free_port
from infrastructure.local.proxy import Backend
from infrastructure.local.records import Manifests, Route
from infrastructure.local.running_sources import Sources
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.targets import AsgiApp, AsgiTarget
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.routes import PREFIX as SANDBOX_PREFIX
from infrastructure.sandbox.routes import sandbox_app
from shared.auth import Keys
from shared.errors import SettingMissing
from shared.settings import Settings

LOCAL_ROUTES = (Route(prefix="/metrics", service="ingest"), Route(prefix=SANDBOX_PREFIX, service="sandbox"))
"""What only this runtime serves at its public address: on a cluster metrics are scraped from each pod."""

SAID_AS_LOCALHOST = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the functions stand on: settings that are complete now, and the sandbox's mailbox if there is one."""

    settings: Settings
    mailbox: Mailbox | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One process for everything, or one per function; those are sent one event a request, as Knative does, unless
    `batch` sends what is there together.
    """

    as_processes: bool = False
    batch: bool = False


async def up(settings: Settings, *, folder: Path = manifests.DEFAULT_FOLDER, shape: Shape = Shape()) -> None:
    """Run until told to stop.

    Raises:
        SettingMissing: a setting without which this must not start.
        PortTaken: somebody else listens there.
    """
    known = manifests.read(folder)
    settings.api_is_open()
    if shape.as_processes and settings.amqp_url is None:
        raise SettingMissing("--processes needs AMQP_URL: the built-in broker lives in one process only")
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        world = await _world(settings, stack)
        compose = partial(_as_processes, batch=shape.batch) if shape.as_processes else _in_one_process
        backends = await compose(world, known, stack)
        if settings.database_url is None:
            await put_demo_people(database_url(world.settings))
        if world.mailbox is not None:
            backends["sandbox"] = sandbox_app(world.mailbox, Keys(world.settings))
        server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), listener)
        await started(stack, server.start, server.stop)
        _announce(world, settings.host, server.port)
        await signals.wait()
        click.echo("Carillon is stopping.")


Backends = dict[str, AsgiApp]


async def _world(settings: Settings, stack: AsyncExitStack) -> World:
    found: dict[str, SecretStr] = {}
    mailbox = None
    if settings.database_url is None:
        found["database_url"] = SecretStr(_embedded_postgres(settings, stack))
    if settings.smtp_url is None:
        mailbox = _sandbox_mailbox(settings)
        found["smtp_url"] = SecretStr(await _sandbox_smtp(mailbox, stack))
    return World(settings=settings.model_copy(update=found), mailbox=mailbox)


def _embedded_postgres(settings: Settings, stack: AsyncExitStack) -> str:
    from infrastructure.local.postgres import EmbeddedPostgres

    return stack.enter_context(EmbeddedPostgres(Path(settings.data_dir))).dsn


def _sandbox_mailbox(settings: Settings) -> Mailbox:
    if settings.database_url is not None and not settings.sandbox:
        raise SettingMissing("SMTP_URL is missing: set it, or SANDBOX=true to keep every mail in the sandbox's inbox")
    return Mailbox()


async def _sandbox_smtp(mailbox: Mailbox, stack: AsyncExitStack) -> str:
    from infrastructure.sandbox.moods import Moods
    from infrastructure.sandbox.smtp import SandboxSmtp

    smtp = SandboxSmtp(mailbox, Moods())
    await started(stack, smtp.start, smtp.stop)
    return smtp.url


async def _in_one_process(world: World, known: Manifests, stack: AsyncExitStack) -> Backends:
    functions = await open_functions(world.settings, list(known.services), stack)
    targets = {
        name: AsgiTarget(app, timeout_seconds=known.services[name].timeout_seconds)
        for name, app in functions.apps.items()
    }
    sources = Sources(known, functions.broker, targets)
    await started(stack, sources.start, sources.stop)
    return dict(functions.apps)


def database_url(settings: Settings) -> str:
    """Tell the address of the database, which is known by now."""
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


async def _as_processes(world: World, known: Manifests, stack: AsyncExitStack, *, batch: bool) -> Backends:
    settings = world.settings
    assert settings.smtp_url is not None
    environment = {
        "DATABASE_URL": database_url(settings),
        "SMTP_URL": settings.smtp_url.get_secret_value(),
    }
    functions = [carillon(name, "serve", name, port=free_port(), **environment) for name in known.services]
    supervisor = Supervisor(functions)
    await started(stack, supervisor.start, supervisor.stop)
    addresses = [part for one in functions for part in ("--service", f"{one.name}={one.url}")]
    together = ["--batch"] if batch else []
    sources = Supervisor([carillon("sources", "sources", *together, *addresses)])
    await started(stack, sources.start, sources.stop)
    session = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
    )
    return {
        one.name: Backend(one.url, session, timeout_seconds=known.services[one.name].timeout_seconds)
        for one in functions
    }


def _announce(world: World, host: str, port: int) -> None:
    url = f"http://{'localhost' if host in SAID_AS_LOCALHOST else host}:{port}"
    lines = {
        "events": f"POST {url}/events",
        "dead letters": f"{url}/dead-letters",
        "sandbox inbox": f"{url}{SANDBOX_PREFIX}/messages" if world.mailbox is not None else "off",
        "broker": "RabbitMQ" if world.settings.amqp_url else "built in: messages stay in this process",
        "API": "open, no key needed" if world.settings.api_is_open() else "needs a key from API_KEYS",
    }
    for name, value in lines.items():
        click.echo(f"  {name:14} {value}")
    click.echo(f"Carillon is ready: {url}")
