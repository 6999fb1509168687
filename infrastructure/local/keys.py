"""Make a key from the command line: a tenant's first one, or one for somebody who has lost all of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from shared.access import Access
from shared.auth.key_format import digest, make_key
from shared.store import Store
from shared.store.keys import NewKey
from shared.store.migrating import migrate


async def create_key(database_url: str, tenant: str, name: str, scopes: Sequence[Access]) -> str:
    """Make a key, and return it: it is shown now and never again."""
    await migrate(database_url)
    store, key = Store(database_url), make_key()
    await store.open(patience_seconds=10)
    try:
        await store.keys.make(
            NewKey(
                id=uuid4(),
                tenant=tenant,
                hash=digest(key),
                name=name,
                scopes=sorted(set(scopes)),
                rate_limit=None,
                expires_at=None,
                created_by="command line",
            )
        )
    finally:
        await store.close()
    return key
