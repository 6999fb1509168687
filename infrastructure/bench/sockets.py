"""Ten thousand open inboxes on this machine: what they cost at rest, how soon a push reaches all, and a storm.

Run it with `make bench-sockets`. It needs Linux and a RabbitMQ (see `infrastructure/local/rabbitmq.py`). The exit code
is 1 if a message is lost, comes twice, or comes out of order.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import click

from infrastructure.bench import machine, processes
from infrastructure.bench.percentiles import percentiles
from infrastructure.bench.socket_crowd import Crowd, with_gaps
from infrastructure.bench.stage import by_number
from infrastructure.bench.table import Row, lay_out
from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.private_instance import private_function, private_instance
from infrastructure.local.rabbitmq import PrivateNode
from shared.store import Store
from shared.store.directory import User
from shared.store.migrating import migrate
from shared.tenants import OPEN_TENANT

DESCRIPTORS_BESIDE = 500
MOST_USERS_OF_EVENT = 10_000
EVENT_TYPE = "bench_push"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is up: the API, the realtime side in a process of its own, and that process."""

    url: str
    realtime_url: str
    pid: int


@asynccontextmanager
async def stage(people: int) -> AsyncIterator[Stage]:
    """Bring up a Postgres, a RabbitMQ, a Carillon, and beside it the realtime side alone, as on a cluster."""
    async with AsyncExitStack() as stack:
        postgres = EmbeddedPostgres(make_temporary_directory("carillon-bench-"))
        stack.push_async_callback(asyncio.to_thread, postgres.discard)
        await asyncio.to_thread(postgres.start)
        node = await asyncio.to_thread(PrivateNode)
        stack.push_async_callback(asyncio.to_thread, node.discard)
        await asyncio.to_thread(node.start)
        await migrate(postgres.dsn)
        await put_people(postgres.dsn, people)
        settings = {"DATABASE_URL": postgres.dsn, "AMQP_URL": node.url, "SANDBOX": "true"}
        instance = await stack.enter_async_context(private_instance(**settings))
        realtime = await stack.enter_async_context(private_function("realtime", **settings))
        yield Stage(by_number(instance.url), by_number(realtime.url), realtime.process.pid)


async def put_people(database_url: str, count: int) -> None:
    """Make people known, and the way that the push takes."""
    store = Store(database_url)
    await store.open()
    await store.directory.put_users(OPEN_TENANT, [User(id=f"person-{number}") for number in range(count)])
    await store.directory.put_workflow(OPEN_TENANT, EVENT_TYPE, {"channels": ["websocket"]})
    await store.database.run("ANALYZE users")
    await store.close()


async def push(http: aiohttp.ClientSession, stage: Stage, crowd: Crowd, text: str) -> float:
    """Post one event for everybody; return when."""
    users, began = [follower.user for follower in crowd.people], time.time()
    for start in range(0, len(users), MOST_USERS_OF_EVENT):
        part = users[start : start + MOST_USERS_OF_EVENT]
        event = {"event_type": EVENT_TYPE, "user_ids": part, "data": {"message": text}}
        async with http.post(f"{stage.url}/events", json=event) as answer:
            answer.raise_for_status()
    return began


def cpu_seconds(pid: int) -> float:
    """Read how much processor a process has used."""
    return processes.running()[pid].cpu_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked for."""

    connections: int
    rest_seconds: float
    patience_seconds: float
    deaf: int


async def measure(stage: Stage, options: Options) -> tuple[list[Row], int]:
    """Measure; return the table, and how many people have not got everything exactly once, in order."""
    parts = urlsplit(stage.realtime_url)
    crowd = Crowd(options.connections, parts.hostname or "", parts.port or 0, deaf=options.deaf)
    async with aiohttp.ClientSession() as http:
        rows = await _at_rest(stage, crowd, options)
        rows += await _pushed(http, stage, crowd, options.patience_seconds)
        rows += await _in_a_storm(http, stage, crowd, options.patience_seconds)
    lost = with_gaps(crowd.people, 2)
    crowd.leave()
    return [*rows, ("people with a gap, a copy or a loss", [lost])], lost


async def _at_rest(stage: Stage, crowd: Crowd, options: Options) -> list[Row]:
    before, began = processes.memory([stage.pid]), time.monotonic()
    await crowd.open(options.patience_seconds)
    opened = time.monotonic() - began
    await asyncio.sleep(2)  # what was needed for the opening alone is given back
    after, used = processes.memory([stage.pid]), cpu_seconds(stage.pid)
    ticks, began = machine.ticks(), time.monotonic()
    await asyncio.sleep(options.rest_seconds)
    seconds = time.monotonic() - began
    rest, others = (cpu_seconds(stage.pid) - used) / seconds, machine.ticks().since(ticks).processes / seconds
    count = len(crowd.people)
    return [
        ("connections", [count]),
        ("opened in, s", [opened]),
        ("memory before, MB (RSS, PSS)", [before.rss_mb, before.pss_mb]),
        ("memory with all of them, MB (RSS, PSS)", [after.rss_mb, after.pss_mb]),
        ("memory each, KB (RSS, PSS)", [
            (after.rss_mb - before.rss_mb) * 1024 / count, (after.pss_mb - before.pss_mb) * 1024 / count,
        ]),
        ("cores used at rest (the process, the machine)", [rest, others]),
    ]  # fmt: skip


async def _pushed(http: aiohttp.ClientSession, stage: Stage, crowd: Crowd, patience_seconds: float) -> list[Row]:
    used = cpu_seconds(stage.pid)
    began = await push(http, stage, crowd, "to everybody")
    missing = await crowd.until(lambda follower: bool(follower.cursors), patience_seconds)
    there = [follower for follower in crowd.people if follower.cursors]
    whole = percentiles(follower.arrived[follower.cursors[0]] - began for follower in there)
    last = percentiles(
        follower.arrived[follower.cursors[0]] - follower.put_at[follower.cursors[0]] for follower in there
    )
    rows: list[Row] = [("a push to all: missing", [missing])]
    if whole and last:
        rows += [
            ("POST to frame, ms (p50, p99, max)", [whole.p50, whole.p99, whole.max]),
            ("inbox row to frame, ms (p50, p99, max)", [last.p50, last.p99, last.max]),
            ("CPU of the realtime side, ms a frame", [(cpu_seconds(stage.pid) - used) * 1000 / len(there)]),
        ]
    return rows


async def _in_a_storm(http: aiohttp.ClientSession, stage: Stage, crowd: Crowd, patience_seconds: float) -> list[Row]:
    used, began = cpu_seconds(stage.pid), time.monotonic()
    crowd.cut()
    await push(http, stage, crowd, "while they were away")
    away = await crowd.until(lambda follower: follower.is_open, patience_seconds)
    back = time.monotonic() - began
    missing = await crowd.until(lambda follower: len(follower.cursors) > 1, patience_seconds)
    return [
        ("a storm: not back, missing", [away, missing]),
        ("all back after, s", [back]),
        ("all have everything after, s", [time.monotonic() - began]),
        ("CPU of the realtime side, s", [cpu_seconds(stage.pid) - used]),
        ("memory afterwards, MB (RSS)", [processes.memory([stage.pid]).rss_mb]),
    ]


def raise_limit(connections: int) -> None:
    """Let this process and those that it starts have so many files open.

    Raises:
        click.ClickException: the system does not allow it.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + DESCRIPTORS_BESIDE
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        raise click.ClickException(f"{needed} open files are needed, and {hard} allowed: raise `ulimit -Hn`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@click.command()
@click.option("--connections", type=click.IntRange(min=1), default=10_000, show_default=True, help="So many people.")
@click.option("--rest-seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="Of rest.")
@click.option("--patience-seconds", type=click.FloatRange(min=1), default=300.0, show_default=True, help="At most.")
@click.option("--deaf", type=click.IntRange(min=0), default=0, help="So many lose a message: to see it turn red.")
def main(connections: int, rest_seconds: float, patience_seconds: float, deaf: int) -> None:
    """Hold many inboxes open, push to all of them, and cut them all off at once."""
    raise_limit(connections)
    options = Options(connections=connections, rest_seconds=rest_seconds, patience_seconds=patience_seconds, deaf=deaf)

    async def run() -> int:
        click.echo("Postgres, RabbitMQ, carillon up, carillon serve realtime", err=True)
        async with stage(connections) as ready:
            rows, lost = await measure(ready, options)
        click.echo(lay_out([*rows, ("fixed work, ms", [machine.spin_ms()])]))
        return lost

    sys.exit(1 if asyncio.run(run()) else 0)


if __name__ == "__main__":
    main()
