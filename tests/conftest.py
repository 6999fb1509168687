"""What tests stand on: one Postgres for the session, a migrated database for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.store import Store
from shared.store.migrating import migrate
from tests.postgres import PostgresForTests


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresForTests]:
    """Start a real Postgres."""
    cluster = PostgresForTests()
    cluster.start()
    yield cluster
    cluster.stop()


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
