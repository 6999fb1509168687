"""Two people to write to, so that the first event reaches somebody."""

from __future__ import annotations

from shared.store import Store
from shared.store.directory import User
from shared.tenants import OPEN_TENANT

PEOPLE = (
    User(id="1", name="Ada", email="ada@example.test"),
    User(id="2", name="Bo", email="bo@example.test"),
)


async def put_demo_people(database_url: str) -> bool:
    """Put them into a database that knows nobody; return whether that was so."""
    store = Store(database_url)
    await store.open()
    try:
        if await store.directory.has_users(OPEN_TENANT):
            return False
        await store.directory.put_users(OPEN_TENANT, PEOPLE)
        return True
    finally:
        await store.close()
