"""What the tests of the store and the steps stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.store import Store
from tests.integration.retaining import keep
from tests.world import World


@pytest.fixture
async def world(store: Store) -> World:
    """Open a world with one person in it."""
    return await World(store).settle_in()


@pytest.fixture
async def keeping(world: World) -> World:
    """Open the same world, which keeps what has ended for some days only."""
    return keep(world)


@pytest.fixture
async def another_store(database_url: str) -> AsyncIterator[Store]:
    """Open the store that another process has over the same database."""
    opened = Store(database_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def away(another_store: Store) -> Store:
    """Take the database away from a store."""
    await another_store.close()
    return another_store
