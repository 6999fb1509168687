"""What the tests of the store and the steps stand on."""

from __future__ import annotations

import pytest

from shared.store import Store
from tests.world import World


@pytest.fixture
async def world(store: Store) -> World:
    """Open a world with one person in it."""
    return await World(store).settle_in()
