"""Everything that a measurement needs, brought up and taken down: database, broker, sink, and a whole Carillon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from infrastructure.bench import history, processes
from infrastructure.bench.child import Child, child
from infrastructure.bench.components import BENCH, POSTGRES, RABBITMQ, RUNTIME
from infrastructure.bench.database import fresh_database, put_users
from infrastructure.bench.options import Options
from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.private_instance import private_instance
from infrastructure.local.rabbitmq import PrivateNode
from shared.settings import Settings
from shared.store import Store
from shared.store.migrating import migrate

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is up, and with which settings.

    `roots` are the processes of ours, by part; a server that was given is not among them.
    """

    url: str
    settings: dict[str, str]
    store: Store
    sink: Child
    roots: dict[str, frozenset[int]]


@asynccontextmanager
async def stage(options: Options, settings: Settings, rows: int, say: Say) -> AsyncIterator[Stage]:
    """Bring everything up around a database with so many ended notifications."""
    roots: dict[str, frozenset[int]] = {}
    async with AsyncExitStack() as stack:
        say(f"Postgres, with {rows:,} ended notifications" if rows else "Postgres")
        async with _noting(roots, POSTGRES):
            database_url = await _database(settings, rows, stack)
        await migrate(database_url)
        store = Store(database_url, pool_max=2)
        await store.open()
        stack.push_async_callback(store.close)
        await put_users(store, options.users, everywhere=options.all_channels)
        world = {"DATABASE_URL": database_url, "LOG_LEVEL": settings.log_level, **_channels(options)}
        if not options.embedded:
            say("RabbitMQ")
            async with _noting(roots, RABBITMQ):
                world["AMQP_URL"] = await _broker(settings, stack)
        sink, port = await stack.enter_async_context(child("infrastructure.bench.sink", _sink(options)))
        roots[BENCH] = frozenset({sink.pid})
        world["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        say(f"carillon up {' '.join(options.shape)}".strip())
        instance = await stack.enter_async_context(private_instance(*options.shape, **world))
        roots[RUNTIME] = frozenset({instance.process.pid})
        yield Stage(url=by_number(instance.url), settings=world, store=store, sink=sink, roots=roots)


def by_number(url: str) -> str:
    """Write an address of this machine so that no name is looked up."""
    return url.replace("localhost", "127.0.0.1")


@asynccontextmanager
async def _noting(roots: dict[str, frozenset[int]], part: str) -> AsyncIterator[None]:
    """Note which processes are started meanwhile as a part's. A server that was given is no part: it is not ours."""
    before = processes.children()
    yield
    if started := frozenset(processes.children() - before):
        roots[part] = started


def _channels(options: Options) -> dict[str, str]:
    """Choose the channels that are served; for all but mail the sandbox stands in, and takes its time as they do."""
    if not options.all_channels:
        return {"CHANNELS": "email,websocket"}
    return {"CHANNELS": ",".join(options.channels), "SANDBOX": "true"}


def _sink(options: Options) -> str:
    return json.dumps(
        {
            "latency_seconds": options.latency_ms / 1000,
            "chunking": options.chunking,
            "pipelining": options.pipelining,
        }
    )


async def _database(settings: Settings, rows: int, stack: AsyncExitStack) -> str:
    if settings.database_url is None:
        return await _private_database(rows, stack)
    url = await stack.enter_async_context(fresh_database(settings.database_url.get_secret_value()))
    if rows:
        await history.fill(url, rows)
    return url


async def _private_database(rows: int, stack: AsyncExitStack) -> str:
    """Start a cluster; what must be there before is put in under settings of its own, which end with the filling."""
    folder = make_temporary_directory("carillon-bench-")
    postgres = EmbeddedPostgres(folder)
    stack.push_async_callback(asyncio.to_thread, postgres.discard)
    if rows:
        history.check_space(folder, rows)
        async with _running(history.filling_cluster(folder)) as filling:
            await history.fill(filling.dsn, rows)
    await asyncio.to_thread(postgres.start)
    return postgres.dsn


@asynccontextmanager
async def _running(postgres: EmbeddedPostgres) -> AsyncIterator[EmbeddedPostgres]:
    try:
        await asyncio.to_thread(postgres.start)
        yield postgres
    finally:
        await asyncio.to_thread(postgres.stop)


async def _broker(settings: Settings, stack: AsyncExitStack) -> str:
    if settings.amqp_url is not None:
        return settings.amqp_url.get_secret_value()
    node = await asyncio.to_thread(PrivateNode)
    stack.push_async_callback(asyncio.to_thread, node.discard)
    await asyncio.to_thread(node.start)
    return node.url
