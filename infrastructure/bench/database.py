"""A database of the benchmark's own on somebody's server, thrown away afterwards, and what it is asked."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

from infrastructure.bench.parcels import address
from infrastructure.sandbox.behaviours import Behaviour, token_for
from shared.errors import SettingMissing
from shared.statuses import NotificationStatus, PushService
from shared.store import Store
from shared.store.directory import User
from shared.tenants import OPEN_TENANT

SENT = frozenset({NotificationStatus.SENT.value, NotificationStatus.DELIVERED.value})

_UNDER_WAY = "SELECT count(*) FROM notifications WHERE next_look_at IS NOT NULL"
_STATUSES = "SELECT status, count(*) FROM notifications WHERE id = ANY(%b) GROUP BY status"


@asynccontextmanager
async def fresh_database(server_url: str) -> AsyncIterator[str]:
    """Make an empty database; hand out its address; drop it in the end.

    Raises:
        SettingMissing: the server's address is not a URL.
    """
    parts = urlsplit(server_url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise SettingMissing("DATABASE_URL must be postgresql://user:password@host:5432/database for the benchmark")
    name = f"carillon_bench_{secrets.token_hex(4)}"
    await _run(server_url, f"CREATE DATABASE {name}")
    try:
        yield parts._replace(path=f"/{name}").geturl()
    finally:
        await asyncio.shield(_run(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def _run(url: str, statement: str) -> None:
    store = Store(url)
    await store.open()
    try:
        await store.database.run(statement)
    finally:
        await store.close()


async def put_users(store: Store, count: int, *, everywhere: bool = False) -> None:
    """Make people known, each with an address; or with one on every channel, as the sandbox knows them."""
    users = [_user(number, everywhere=everywhere) for number in range(1, count + 1)]
    await store.directory.put_users(OPEN_TENANT, users)
    for user in users if everywhere else ():
        token = f"{token_for(Behaviour.ACCEPTED)}.{user.id}"
        await store.devices.register(OPEN_TENANT, user.id, provider=PushService.FCM.value, token=token)
    await store.database.run("ANALYZE users")


def _user(number: int, *, everywhere: bool) -> User:
    more = {"phone": f"+1555{1_000_000 + number}", "telegram": str(40_000_000 + number)} if everywhere else {}
    return User(id=str(number), name=f"User {number}", email=address(str(number)), **more)


async def under_way(store: Store) -> int:
    """Count the notifications that have not ended. What has ended costs nothing here."""
    return int((await store.database.fetch(_UNDER_WAY))[0][0])


async def count_sent(store: Store, ids: Sequence[str]) -> int:
    """Count those of these notifications that are recorded as sent."""
    rows = await store.database.fetch(_STATUSES, ([UUID(key) for key in ids],))
    return sum(count for status, count in rows if status in SENT)
