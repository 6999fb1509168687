"""A whole Carillon on real processes of its own: two of each step, so that somebody takes over from a stopped one."""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from infrastructure.local import manifests
from infrastructure.local.functions import started
from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.postgres_files import AlreadyRunning
from infrastructure.local.processes import Command, Supervisor, carillon, free_port
from infrastructure.local.rabbitmq import PrivateNode
from infrastructure.local.records import Manifests
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.smtp import SandboxSmtp
from shared.statuses import Channel
from tests.chaos.balancer import balanced
from tests.chaos.client import Client
from tests.chaos.database import Database
from tests.chaos.signals import resume

SOURCES = "sources"
ALONE = frozenset({"directory", "console", "realtime"})
"""Of what only answers clients there is one process: nobody takes over from it, its clients wait."""

UNSTRUCK = frozenset({"access", "callbacks", "templates"})
"""What this load never asks is there, once, and nothing strikes it: a strike has to hit work in flight."""

CHANNELS = frozenset({Channel.EMAIL, Channel.WEBSOCKET})
MAILS_KEPT = 1_000_000
POOL = "5"
RESTART_SECONDS = 20.0
MISSING_TARGET_SECONDS = 190.0
"""Some 180 s after it was missing a target of dead-lettering is tried again (measured)."""


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that runs. `frozen` are the processes that a strike holds."""

    postgres: EmbeddedPostgres
    node: PrivateNode
    smtp: SandboxSmtp
    known: Manifests
    client: Client
    database: Database
    functions: Supervisor
    carriers: Supervisor
    replicas: Mapping[str, tuple[str, ...]]
    frozen: dict[str, int] = field(default_factory=dict)
    retry_deleted_at: float = -math.inf

    def pid(self, replica: str) -> int | None:
        """Return the process id that a replica has now."""
        return self.functions.pid(replica) or self.carriers.pid(replica)

    def free(self, function: str) -> list[str]:
        """List the replicas of a function that no strike holds."""
        return [replica for replica in self.replicas[function] if replica not in self.frozen]

    def let_go(self, replica: str) -> None:
        """Let a replica that was held go on. Twice does no harm."""
        pid = self.frozen.pop(replica, None)
        if pid is not None:
            resume(pid)

    def is_retry_at_work(self) -> bool:
        """Tell whether what is rejected now goes to `events.retry`: RabbitMQ tries a target that was missing late."""
        return time.monotonic() - self.retry_deleted_at > MISSING_TARGET_SECONDS

    async def restart_postgres(self) -> None:
        """Start Postgres again, when the last process of the one before is gone."""
        before, deadline = self.postgres.dsn, asyncio.get_running_loop().time() + RESTART_SECONDS
        await asyncio.to_thread(self.postgres.stop)
        while True:
            try:
                await asyncio.to_thread(self.postgres.start)
                break
            except AlreadyRunning:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.05)
        assert self.postgres.dsn == before, "Postgres has moved"


@asynccontextmanager
async def running(logs: Path | None = None) -> AsyncIterator[World]:
    """Start all of it, and leave nothing behind but the logs, in a folder if one is given."""
    async with AsyncExitStack() as stack:
        folder = make_temporary_directory("carillon-chaos-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres, node = EmbeddedPostgres(folder / "data"), await asyncio.to_thread(PrivateNode)
        stack.callback(postgres.discard)
        stack.callback(node.discard)
        if logs:
            stack.callback(shutil.copytree, node.folder / "log", logs / "rabbitmq", dirs_exist_ok=True)
            stack.callback(shutil.copy, postgres.log_file, logs)
        smtp = SandboxSmtp(Mailbox(MAILS_KEPT))
        await started(stack, smtp.start, smtp.stop)
        await asyncio.gather(asyncio.to_thread(postgres.start), asyncio.to_thread(node.start))
        yield await _peopled((logs or folder).resolve(), postgres, node, smtp, stack)


async def _peopled(
    logs: Path, postgres: EmbeddedPostgres, node: PrivateNode, smtp: SandboxSmtp, stack: AsyncExitStack
) -> World:
    known = manifests.read(manifests.DEFAULT_FOLDER).serving(CHANNELS)
    environment = {
        "AMQP_URL": node.url,
        "SMTP_URL": smtp.url,
        "CHANNELS": ",".join(sorted(CHANNELS)),
        "API_KEYS": "",
        "LOG_LEVEL": "WARNING",
        "DATABASE_POOL_MAX": POOL,
    }
    database = Database(postgres.dsn)
    stack.push_async_callback(database.close)
    ports: set[int] = set()
    commands = {
        name: [
            _serving(logs, name, replica, ports, environment | {"DATABASE_URL": _named(postgres.dsn, replica)})
            for replica in _replicas(name)
        ]
        for name in known.services
    }
    functions = Supervisor([command for several in commands.values() for command in several])
    await started(stack, functions.start, functions.stop)
    http = await stack.enter_async_context(
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
    )
    urls = {name: [one.url for one in several] for name, several in commands.items()}
    addresses = {name: await balanced(several, http, stack) for name, several in urls.items()}
    carriers = Supervisor([_carrying(logs, replica, addresses, environment) for replica in _replicas(SOURCES)])
    await started(stack, carriers.start, carriers.stop)
    replicas = {name: tuple(command.name for command in several) for name, several in commands.items()}
    world = World(
        postgres=postgres,
        node=node,
        smtp=smtp,
        known=known,
        client=Client(urls, http),
        database=database,
        functions=functions,
        carriers=carriers,
        replicas=replicas | {SOURCES: _replicas(SOURCES)},
    )
    stack.callback(_let_all_go, world)
    return world


def _let_all_go(world: World) -> None:
    for replica in list(world.frozen):  # a stopped process does not hear that it is to end
        world.let_go(replica)


def _replicas(name: str) -> tuple[str, ...]:
    return (name,) if name in ALONE | UNSTRUCK else (f"{name}-1", f"{name}-2")


def _named(dsn: str, application: str) -> str:
    return f"{dsn}&application_name={application}"


def _serving(logs: Path, name: str, replica: str, ports: set[int], environment: Mapping[str, str]) -> Command:
    port = free_port()
    while port in ports:
        port = free_port()
    ports.add(port)
    return _logging(logs, _with(replace(carillon(name, "serve", name, port=port), name=replica), environment))


def _carrying(logs: Path, replica: str, addresses: Mapping[str, str], environment: Mapping[str, str]) -> Command:
    words = [word for name, url in addresses.items() for word in ("--service", f"{name}={url}")]
    return _logging(logs, _with(carillon(replica, SOURCES, *words), environment))


def _with(command: Command, environment: Mapping[str, str]) -> Command:
    return replace(command, environment={**command.environment, **environment})


def _logging(logs: Path, command: Command) -> Command:
    """Have a process write into a file of its own; `exec` keeps its id."""
    words = ("sh", "-c", 'exec "$@" >>"$0" 2>&1', str(logs / f"{command.name}.log"), *command.arguments)
    return replace(command, arguments=words)


def now() -> datetime:
    """Read the clock that Postgres reads too: both are on this machine."""
    return datetime.now(UTC)
