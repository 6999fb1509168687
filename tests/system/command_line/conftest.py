"""One instance that runs, somebody to write to, and a terminal."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.private_instance import Instance, private_instance
from tests.postgres import PostgresForTests
from tests.system.client import Client
from tests.system.command_line.terminal import KEY, Terminal


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place() -> AsyncIterator[Path]:
    """Make a place for the instance's data, which the doctor looks at too."""
    folder = make_temporary_directory("carillon-command-line-")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance(place: Path) -> AsyncIterator[Instance]:
    """Run Carillon once for all of these tests."""
    async with private_instance(DATA_DIR=str(place / "data"), API_KEYS=f"acme:{KEY}") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def person(instance: Instance) -> AsyncIterator[Client]:
    """Be somebody with an address, whom nobody else writes to."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), headers={"X-API-Key": KEY}) as http:
        yield await Client(instance, http).settle_in()


@pytest.fixture
def terminal(instance: Instance, place: Path) -> Terminal:
    """Sit down where the server is known and the key is set."""
    known = {"CARILLON_URL": instance.url, "CARILLON_API_KEY": KEY, "DATA_DIR": str(place / "data")}
    return Terminal(known)


@pytest_asyncio.fixture(loop_scope="module")
async def empty_url(postgres: PostgresForTests) -> str:
    """Make a database with nothing in it."""
    return await postgres.fresh_database()
