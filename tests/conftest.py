"""What tests stand on: one Postgres for the session, a migrated database for each test."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infrastructure.local.functions import COLLECT_EVERY
from infrastructure.local.rabbitmq import PrivateNode, find_programs, speaks_amqp
from infrastructure.local.rabbitmq_packages import RabbitMQNotAvailable
from shared.store import Store
from shared.store.migrating import migrate
from tests.browser.chromium import missing_chromium
from tests.contract.rendering import missing_kustomize, missing_schemas
from tests.contract.stage import Stage
from tests.postgres import PostgresForTests
from tests.prometheus_server import missing_prometheus
from tests.redis_server import missing_redis
from tests.simulation.store import Memory, MemoryStore
from tests.world import World


@pytest.fixture(autouse=True)
def _what_is_logged_after_it() -> Iterator[None]:
    """Let no test turn down the log for those that come after it: they could not see what they look for."""
    root = logging.getLogger()
    before = root.level, root.manager.disable
    yield
    after = root.level, root.manager.disable
    root.setLevel(before[0])
    logging.disable(before[1])
    assert after == before, "a test has left the log at another level"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresForTests]:
    """Start a real Postgres."""
    cluster = PostgresForTests()
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def node() -> Iterator[PrivateNode]:
    """Start a RabbitMQ of our own. Tests may strike it: who needs it empty, or at all, has to see to that."""
    with PrivateNode() as started:
        yield started


async def _migrated(url: str) -> None:
    await migrate(url)


@pytest.fixture
async def database_url(postgres: PostgresForTests) -> str:
    """Make a database with the schema and nothing in it."""
    return await postgres.fresh_database(_migrated)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """Open the store over a fresh database."""
    opened = Store(database_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(params=["postgres", "in memory"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Open each of the stores that keep one contract, with a clock that can be turned."""
    if request.param == "in memory":
        passed = [timedelta()]

        async def turn(seconds: float) -> None:
            passed[0] += timedelta(seconds=seconds)

        yield await Stage(MemoryStore(Memory(now=lambda: datetime.now(UTC) + passed[0])), turn).settle_in()
        return
    cluster: PostgresForTests = request.getfixturevalue("postgres")
    opened = Store(await cluster.fresh_database(_migrated))
    await opened.open()
    yield await Stage(opened, World(opened).turn_clock).settle_in()
    await opened.close()


def _missing_rabbitmq() -> str | None:
    """Say why there is no RabbitMQ for the tests here, or None if there is one."""
    if os.environ.get("AMQP_URL") or speaks_amqp("127.0.0.1", 5672):
        return None
    try:
        find_programs()
    except RabbitMQNotAvailable as missing:
        return str(missing)
    return None


TOOLS = (("kustomize", "kustomize", missing_kustomize), ("crds", "Knative's schemas", missing_schemas))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Choose two workers more than there are cores: most of a test of whole processes is waiting."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a server or a browser where there is none, and say so; with CI=true let it fail.

    What checks manifests with tools that nobody needs to run Carillon is left out everywhere, and told.
    Whole processes come first: they mostly wait, and the others fit in beside them. Then what takes long, so that no
    worker is still at it when the others have nothing left; what computes stands between what waits.
    """
    items.sort(key=_turn)
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker("browser")
    needed = () if os.environ.get("CI") == "true" else NEEDED
    not_run = []
    for marker, name, missing in (*needed, *TOOLS):
        needing = [item for item in items if item.get_closest_marker(marker)]
        reason = missing() if needing else None
        if reason:
            items[:] = [item for item in items if item not in needing]
            config.hook.pytest_deselected(items=needing)
            not_run.append(f"{len(needing)} tests that need {name}: {reason}")
    if not_run:
        config.stash[NOT_RUN] = f"NOT RUN: {'; '.join(not_run)}"


def pytest_configure() -> None:
    """Search for no cycles while thousands of tests are collected: that would be three quarters of the time."""
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let no later search go through all of them again and again: that would be a fifth of their time."""
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)
    gc.enable()


def _turn(item: pytest.Item) -> int:
    where = item.path.relative_to(item.config.rootpath).as_posix()
    return next((turn for turn, start in enumerate(TURNS) if where.startswith(start)), len(TURNS))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that started this one, which has collected nothing itself."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = session.config.stash.get(NOT_RUN, "")


def pytest_testnodedown(node: Any) -> None:
    """Hear what a worker left out; they all leave out the same."""
    if said := getattr(node, "workeroutput", {}).get("not_run"):
        node.config.stash[NOT_RUN] = said


def pytest_unconfigure(config: pytest.Config) -> None:
    """Make what did not run the last line."""
    if config.stash.get(NOT_RUN, ""):
        print(config.stash[NOT_RUN], flush=True)


NOT_RUN = pytest.StashKey[str]()
TURNS = (
    "tests/system/test_strikes.py",
    "tests/system/test_chaos.py",
    "tests/system/",
    "tests/simulation/",
    "tests/integration/test_rabbitmq.py",
    "tests/contract/",
    "tests/specification/",
)
"""What is not among them comes last."""

NEEDED = (
    ("rabbit", "RabbitMQ", _missing_rabbitmq),
    ("redis", "Redis", missing_redis),
    ("prometheus", "Prometheus", missing_prometheus),
    ("browser", "a Chromium", missing_chromium),
)
