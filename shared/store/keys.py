"""API keys: who made them, what they open, and when they end. The keys themselves are nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key as it is made."""

    id: UUID
    tenant: str
    hash: bytes = field(repr=False)
    name: str
    scopes: Sequence[str]
    rate_limit: str | None
    expires_at: datetime | None
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """A key as it is shown: everything but the key."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    rate_limit: str | None
    status: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveKey:
    """What a call needs to know of a key that is valid now."""

    id: UUID
    tenant: str
    scopes: tuple[str, ...]
    rate_limit: str | None
    lives_seconds: float | None
    unused_seconds: float | None


_IS_LIVE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())"
_SHOWN = """id, name, scopes, rate_limit,
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
         WHEN expires_at <= clock_timestamp() THEN 'expired'
         WHEN replaced_by IS NOT NULL THEN 'rotated'
         ELSE 'active' END,
    created_at, created_by, expires_at, revoked_at, last_used_at, replaced_by"""

# The one question without a tenant: its answer says whose the call is.
_FIND = f"""
SELECT hash, id, tenant, scopes, rate_limit,
    extract(epoch FROM expires_at - clock_timestamp())::float8,
    extract(epoch FROM clock_timestamp() - last_used_at)::float8
FROM api_keys WHERE hash = ANY(%b::bytea[]) AND {_IS_LIVE}
"""  # noqa: S608 - constants
_NOTE_USE = """
UPDATE api_keys SET last_used_at = clock_timestamp()
WHERE id IN (SELECT id FROM api_keys WHERE id = ANY(%b::uuid[])
             AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '30 seconds')
             ORDER BY id FOR UPDATE SKIP LOCKED)
"""
_MAKE = f"""
INSERT INTO api_keys (id, tenant, hash, name, scopes, rate_limit, expires_at, created_by)
VALUES (%s, %s, %b, %s, %s, %s, %s, %s) RETURNING {_SHOWN}
"""  # noqa: S608
_LIST = f"""
SELECT {_SHOWN} FROM api_keys
WHERE tenant = %(tenant)s AND (%(after)s::uuid IS NULL OR (created_at, id) < (
    SELECT created_at, id FROM api_keys WHERE tenant = %(tenant)s AND id = %(after)s))
ORDER BY created_at DESC, id DESC LIMIT %(limit)s
"""  # noqa: S608
_GET = f"SELECT {_SHOWN} FROM api_keys WHERE tenant = %s AND id = %s"  # noqa: S608
_ROTATED = f"""
SELECT name, scopes, rate_limit, expires_at FROM api_keys
WHERE tenant = %s AND id = %s AND replaced_by IS NULL AND {_IS_LIVE} FOR UPDATE
"""  # noqa: S608
_RETIRE = """
UPDATE api_keys SET replaced_by = %s, expires_at = least(expires_at, clock_timestamp() + make_interval(secs => %s))
WHERE tenant = %s AND id = %s RETURNING hash
"""
_REVOKE = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE tenant = %s AND id = %s RETURNING hash
"""


class Keys:
    """The room of the gate, and of whoever makes keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, hashes: Sequence[bytes]) -> Mapping[bytes, LiveKey]:
        """Find the keys that are valid now, by their hashes."""
        rows = await self._database.fetch(_FIND, (list(hashes),))
        return {bytes(row[0]): _live(row) for row in rows}

    async def note_use(self, ids: Sequence[UUID]) -> None:
        """Write that keys were used just now; of several processes that say so, one writes."""
        await self._database.run(_NOTE_USE, (list(ids),))

    async def make(self, key: NewKey) -> KeyRecord:
        """Keep a new key."""
        return _record((await self._database.fetch(_MAKE, _values(key)))[0])

    async def listing(self, tenant: str, *, after: UUID | None = None, limit: int = 100) -> list[KeyRecord]:
        """List the keys of a tenant, the newest first, from behind the last one that is known."""
        rows = await self._database.fetch(_LIST, {"tenant": tenant, "after": after, "limit": limit})
        return [_record(row) for row in rows]

    async def get(self, tenant: str, key_id: UUID) -> KeyRecord | None:
        """Show one key."""
        rows = await self._database.fetch(_GET, (tenant, key_id))
        return _record(rows[0]) if rows else None

    async def rotate(
        self, tenant: str, key_id: UUID, heir: tuple[UUID, bytes], *, grace_seconds: int, by: str
    ) -> tuple[KeyRecord, bytes] | None:
        """Make a key of another id and hash in the place of one that is active, which then lives for its grace.

        Returns the new one and the old one's hash; None if there is no such key, or if it is not active.
        """
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_ROTATED, (tenant, key_id))).fetchall()
            if not rows:
                return None
            name, scopes, rate_limit, expires_at = rows[0]
            key = NewKey(
                id=heir[0], tenant=tenant, hash=heir[1], name=name, scopes=scopes, rate_limit=rate_limit,
                expires_at=expires_at, created_by=by,
            )  # fmt: skip
            (made,) = await (await connection.execute(_MAKE.encode(), _values(key))).fetchall()
            (retired,) = await (await connection.execute(_RETIRE, (key.id, grace_seconds, tenant, key_id))).fetchall()
        return _record(made), bytes(retired[0])

    async def revoke(self, tenant: str, key_id: UUID) -> bytes | None:
        """End a key now; return its hash, or None if there is no such key. Twice is once."""
        rows = await self._database.fetch(_REVOKE, (tenant, key_id))
        return bytes(rows[0][0]) if rows else None


def _values(key: NewKey) -> tuple[Any, ...]:
    scopes = list(key.scopes)
    return (key.id, key.tenant, key.hash, key.name, scopes, key.rate_limit, key.expires_at, key.created_by)


def _live(row: tuple[Any, ...]) -> LiveKey:
    _, key_id, tenant, scopes, rate_limit, lives_seconds, unused_seconds = row
    return LiveKey(
        id=key_id,
        tenant=tenant,
        scopes=tuple(scopes),
        rate_limit=rate_limit,
        lives_seconds=lives_seconds,
        unused_seconds=unused_seconds,
    )


def _record(row: tuple[Any, ...]) -> KeyRecord:
    values = dict(zip(_NAMES, row, strict=True))
    return KeyRecord(**{**values, "scopes": tuple(values["scopes"])})


_NAMES = [one.name for one in fields(KeyRecord)]
"""In the order of what is shown."""
