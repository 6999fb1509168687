"""Whole processes, started as a user starts them, in all three ways of running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from infrastructure.local.private_instance import Instance, private_instance
from infrastructure.local.rabbitmq import PrivateNode
from tests.contract.clean_slate import delete_all_queues
from tests.postgres import PostgresForTests
from tests.system.client import Client

EMBEDDED, ONE_PROCESS, PROCESSES = "embedded", "one machine, one process", "a process per function"
WORKERS = "one machine, requests and queues apart"


@dataclass(frozen=True, slots=True)
class Way:
    """A way of running."""

    name: str
    options: tuple[str, ...]
    settings: dict[str, str]


@asynccontextmanager
async def running(way: Way) -> AsyncIterator[Client]:
    """Run it, with people to write to."""
    async with AsyncExitStack() as stack:
        instance = await stack.enter_async_context(private_instance(*way.options, **way.settings))
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        yield await Client(instance, http).settle_in()


async def emptied(node: PrivateNode, postgres: PostgresForTests) -> dict[str, str]:
    """Settings for a real RabbitMQ that holds nothing, and a real Postgres of one's own."""
    await asyncio.to_thread(node.start)
    await asyncio.to_thread(delete_all_queues, node.url)
    return {"AMQP_URL": node.url, "DATABASE_URL": await postgres.fresh_database(), "SANDBOX": "true"}


@pytest.fixture
async def real_settings(node: PrivateNode, postgres: PostgresForTests) -> dict[str, str]:
    """Settings for one test."""
    return await emptied(node, postgres)


WAYS: dict[str, Callable[[dict[str, str]], Way]] = {
    EMBEDDED: lambda _: Way(EMBEDDED, (), {}),
    ONE_PROCESS: lambda real: Way(ONE_PROCESS, (), real),
    PROCESSES: lambda real: Way(PROCESSES, ("--processes",), real),
    WORKERS: lambda real: Way(WORKERS, ("--workers", "2"), real),
}


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[EMBEDDED, *(pytest.param(name, marks=pytest.mark.rabbit) for name in (ONE_PROCESS, PROCESSES))],
)
async def instance(
    request: pytest.FixtureRequest, node: PrivateNode, postgres: PostgresForTests
) -> AsyncIterator[Instance]:
    """Run Carillon once for a module's tests, in each way in turn."""
    way = WAYS[request.param](await emptied(node, postgres))
    async with private_instance(*way.options, **way.settings) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def carillon(instance: Instance) -> AsyncIterator[Client]:
    """Be a user of it, with a person of this test's own to write to."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        yield await Client(instance, http).settle_in()
