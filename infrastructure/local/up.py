"""Bring a whole Carillon up on this machine, and take it down again in order."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from pydantic import SecretStr

from infrastructure.local import knative_broker, manifests, providers
from infrastructure.local.applications import AsgiApp
from infrastructure.local.demo_data import put_demo_people
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.in_one_process import LOCAL_ROUTES, in_one_process
from infrastructure.local.one_process_each import one_process_each
from infrastructure.local.processes import LOOPBACK
from infrastructure.local.records import Manifests
from infrastructure.local.server import HttpServer, StopSignals, listen
from infrastructure.local.workers import SANDBOX, describe, start_workers
from infrastructure.sandbox.operations import PREFIX as SANDBOX_PREFIX
from infrastructure.sandbox.routes import sandbox_app
from infrastructure.sandbox.sandbox import Sandbox
from shared.auth import Keys
from shared.errors import SettingMissing
from shared.settings import Settings
from shared.store.migrating import migrate

SAID_AS_LOCALHOST = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1"})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the functions stand on: settings that are complete now, and the sandbox if there is one."""

    settings: Settings
    found: Mapping[str, object]
    sandbox: Sandbox | None

    def environment(self) -> dict[str, str]:
        """Write what other processes must be told of this world, besides what their environment says already."""
        known = {"database_url": SecretStr(database_url(self.settings))}
        return providers.as_environment({**known, **self.found})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One process for everything, the same shared among `workers`, or one process per function.

    Functions in processes of their own are sent one event a request, as Knative does, unless `batch` sends what is
    there together.
    """

    as_processes: bool = False
    batch: bool = False
    workers: int = 1


async def up(settings: Settings, *, folder: Path = manifests.DEFAULT_FOLDER, shape: Shape = Shape()) -> None:
    """Run until told to stop.

    Raises:
        SettingMissing: a setting without which this must not start.
        PortTaken: somebody else listens there.
    """
    known = manifests.read(folder).serving(settings.served())
    settings.api_is_open()
    knative_broker.check(settings, known, workers=shape.workers, batch=shape.batch)
    if (shape.as_processes or shape.workers > 1) and settings.amqp_url is None and known.broker is None:
        needs = "--processes needs" if shape.as_processes else "--workers need"
        raise SettingMissing(f"{needs} AMQP_URL: the built-in broker lives in one process only")
    async with AsyncExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        listener = stack.enter_context(listen(settings.host, settings.port))
        world = await _world(settings, stack)
        open_shape = partial(_in_workers, folder=folder) if shape.workers > 1 else partial(_behind_one_gateway, known)
        await open_shape(world, shape, listener, stack)
        if settings.database_url is None:
            await put_demo_people(database_url(world.settings))
        _announce(world, known, settings.host, int(listener.getsockname()[1]))
        await signals.wait()
        click.echo("Carillon is stopping.")


async def _behind_one_gateway(
    known: Manifests, world: World, shape: Shape, listener: socket.socket, stack: AsyncExitStack
) -> None:
    compose = partial(_as_processes, batch=shape.batch) if shape.as_processes else _in_one_process
    backends = await compose(world, known, stack)
    if world.sandbox is not None:
        backends[SANDBOX] = sandbox_app(world.sandbox.mailbox, world.sandbox.moods, Keys(world.settings))
    server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), listener)
    await started(stack, server.start, server.stop)


async def _in_workers(
    world: World, shape: Shape, listener: socket.socket, stack: AsyncExitStack, *, folder: Path
) -> None:
    await migrate(database_url(world.settings))
    sandbox_url = None
    if world.sandbox is not None:
        own = stack.enter_context(listen(LOOPBACK, 0))
        sandbox = HttpServer(sandbox_app(world.sandbox.mailbox, world.sandbox.moods, Keys(world.settings)), own)
        await started(stack, sandbox.start, sandbox.stop)
        sandbox_url = f"http://{LOOPBACK}:{sandbox.port}"
    commands = describe(shape.workers, listener, folder, sandbox_url, **world.environment())
    await start_workers(commands, stack)


Backends = dict[str, AsgiApp]


async def _world(settings: Settings, stack: AsyncExitStack) -> World:
    providers.require(settings)
    found: dict[str, object] = {}
    sandbox = None
    if settings.database_url is None:
        found["database_url"] = SecretStr(_embedded_postgres(settings, stack))
    if providers.unmet(settings):
        sandbox = Sandbox()
        await started(stack, sandbox.start, sandbox.stop)
        found |= providers.sandboxed(settings, sandbox)
    return World(settings=settings.model_copy(update=found), found=found, sandbox=sandbox)


def _embedded_postgres(settings: Settings, stack: AsyncExitStack) -> str:
    from infrastructure.local.postgres import EmbeddedPostgres

    return stack.enter_context(EmbeddedPostgres(Path(settings.data_dir))).dsn


async def _in_one_process(world: World, known: Manifests, stack: AsyncExitStack) -> Backends:
    return await in_one_process(world.settings, known, stack)


def database_url(settings: Settings) -> str:
    """Tell the address of the database, which is known by now."""
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


async def _as_processes(world: World, known: Manifests, stack: AsyncExitStack, *, batch: bool) -> Backends:
    return await one_process_each(world.environment(), known, stack, batch=batch)


def _announce(world: World, known: Manifests, host: str, port: int) -> None:
    url = f"http://{'localhost' if host in SAID_AS_LOCALHOST else host}:{port}"
    lines = {
        "events": f"POST {url}/events",
        "console": f"{url}/",
        "inbox": f"{url}/demo/inbox",
        "mailbox": f"{url}{SANDBOX_PREFIX}/messages" if world.sandbox is not None else "off",
        "broker": _broker(world.settings, known),
        "API": "open, no key needed" if world.settings.api_is_open() else "needs a key, or a person's token",
    }
    for name, value in lines.items():
        click.echo(f"  {name:14} {value}")
    click.echo(f"Carillon is ready: {url}")


def _broker(settings: Settings, known: Manifests) -> str:
    if known.broker is not None:
        return f"the Broker {known.broker} and its {len(known.triggers)} Triggers, in this process"
    return "RabbitMQ" if settings.amqp_url else "built in: messages stay in this process"
