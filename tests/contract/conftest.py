"""The brokers that pass one contract suite, and a Redis."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from infrastructure.local.rabbitmq import PrivateNode, others_broker
from shared.broker import Broker
from shared.broker.in_process import InProcessBroker
from shared.broker.rabbit import RabbitBroker
from shared.broker.sink import SinkBroker
from shared.broker.sink_line import SinkLine
from shared.store import Store
from tests.contract.clean_slate import SOON_SECONDS, delete_all_queues, hurried_queues
from tests.contract.ingress import Ingress, running_ingress
from tests.contract.listening import eventually
from tests.postgres import PostgresForTests
from tests.redis_server import RedisForTests

IN_PROCESS, RABBIT, SINK = "in process", "rabbitmq", "sink"


@pytest.fixture
def rabbit_url(request: pytest.FixtureRequest) -> str:
    """A real RabbitMQ. Where there is none, every test that needs it fails with the remedy."""
    if url := others_broker():
        return url
    node: PrivateNode = request.getfixturevalue("node")
    node.start()  # it runs, unless a test before this one has left it otherwise
    return node.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A real Redis."""
    given = os.environ.get("REDIS_URL")
    if given:
        yield given
        return
    server = RedisForTests()
    server.start()
    yield server.url
    server.discard()


@pytest.fixture(params=[IN_PROCESS, pytest.param(RABBIT, marks=pytest.mark.rabbit)])
def make_broker(request: pytest.FixtureRequest) -> Callable[[], Broker]:
    """A way to make one broker of each kind, both in a hurry."""
    if request.param == IN_PROCESS:
        return lambda: InProcessBroker(retry_after_seconds=SOON_SECONDS, settle_seconds=SOON_SECONDS)
    url: str = request.getfixturevalue("rabbit_url")
    delete_all_queues(url)
    return lambda: RabbitBroker(url, queues=hurried_queues, settle_seconds=SOON_SECONDS)


@pytest.fixture
async def broker(make_broker: Callable[[], Broker]) -> AsyncIterator[Broker]:
    """A started broker that holds nothing; on a busy machine the connection may come after the start has returned."""
    broker = make_broker()
    await broker.start()
    await eventually(lambda: broker.is_ready)
    yield broker
    await broker.stop()


@pytest.fixture(params=[IN_PROCESS, pytest.param(RABBIT, marks=pytest.mark.rabbit), SINK])
async def make_publisher(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Broker]]:
    """A way to make one broker of each kind, those too from which nothing can be consumed."""
    if request.param == IN_PROCESS:
        yield InProcessBroker
    elif request.param == RABBIT:
        url: str = request.getfixturevalue("rabbit_url")
        delete_all_queues(url)
        yield lambda: RabbitBroker(url, queues=hurried_queues, settle_seconds=SOON_SECONDS)
    else:
        cluster: PostgresForTests = request.getfixturevalue("postgres")
        async with running_ingress() as ingress, opened(await cluster.fresh_database()) as store:
            yield lambda: sink(ingress, store)


def sink(ingress: Ingress, store: Store) -> Broker:
    """Make a broker that a database stands behind."""
    broker = SinkBroker(SinkLine(ingress.url, {}))
    broker.lean_on(store.hints, store.looks.look_by)
    return broker


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Store]:
    """Open a store; hints need no table."""
    store = Store(url)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def publisher(make_publisher: Callable[[], Broker]) -> AsyncIterator[Broker]:
    """A started broker that takes messages, whoever consumes them."""
    broker = make_publisher()
    await broker.start()
    await eventually(lambda: broker.is_ready)
    yield broker
    await broker.stop()
