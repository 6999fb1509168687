"""Dead letters: what needs a person. Only the database buries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb

from shared.ids import NAMESPACE
from shared.saga import Entry, Replayed, Saga, What, decide
from shared.store.changes import line_of
from shared.store.columns import Uuids
from shared.store.database import Connection, Database
from shared.store.sagas import SagaSet
from shared.tenants import OPEN_TENANT

_BURY_BYTES = """
INSERT INTO dead_letters (id, tenant, kind, step, reason, body)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING
"""
_COLUMNS = "id, tenant, kind, status, notification_id, epoch, step, reason, body, created_at, settled_at"
_LIST = f"""
SELECT {_COLUMNS} FROM dead_letters
WHERE tenant = %s AND status = %s ORDER BY created_at DESC, id LIMIT %s
"""  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM dead_letters WHERE tenant = %s AND id = %s"  # noqa: S608
_OPEN = """
SELECT id, notification_id FROM dead_letters
WHERE tenant = %b AND id = ANY(%b) AND status = 'open' AND notification_id IS NOT NULL ORDER BY id
"""
_LOCK_OPEN = f"{_OPEN} FOR UPDATE"
_TAKE = """
UPDATE dead_letters SET status = 'replayed', settled_at = clock_timestamp(), settled_by = %b
WHERE tenant = %b AND id = ANY(%b)
"""
_DISCARD = """
WITH taken AS MATERIALIZED (
    SELECT id FROM dead_letters WHERE tenant = %b AND id = ANY(%b) AND status = 'open' ORDER BY id FOR UPDATE
), discarded AS (
    UPDATE dead_letters l
    SET status = 'discarded', settled_at = clock_timestamp(), settled_by = %b, settled_reason = %b
    FROM taken t WHERE l.id = t.id RETURNING l.id, l.notification_id
), told AS (
    INSERT INTO timeline (notification_id, entries)
    SELECT notification_id, %b FROM discarded WHERE notification_id IS NOT NULL
)
SELECT id FROM discarded
"""
_STATUSES = "SELECT id, status FROM dead_letters WHERE tenant = %b AND id = ANY(%b)"
_COUNT_FAILURE = """
INSERT INTO step_failures AS f (step, event_id, count) VALUES (%s, %s, 1)
ON CONFLICT (step, event_id) DO UPDATE SET count = f.count + 1, updated_at = clock_timestamp() RETURNING count
"""
REPLAY_WINDOW_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a set of dead letters that somebody wanted settled.

    `done` are those that were settled by this, with the saga that starts over where there is one. `refused` are the
    others, with the status that they have; what is in neither is not there.
    """

    done: Mapping[UUID, Saga | None] = field(default_factory=dict)
    refused: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptBytes:
    """A dead letter of bytes, and whether it was not there before."""

    id: UUID
    is_new: bool


class DeadLetters:
    """The room of everything that needs a person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_bytes(self, kind: str, step: str, reason: str, body: bytes, tenant: str = OPEN_TENANT) -> KeptBytes:
        """Keep what no step can use, as it came. The same bytes at the same step are kept once.

        What cannot be read names no tenant: it is the default tenant's, who runs the installation.
        """
        key = uuid5(NAMESPACE, f"{step}\x1f{reason}\x1f{hash_of(body)}")
        count = await self._database.run(_BURY_BYTES, (key, tenant, kind, step, reason, body))
        return KeptBytes(key, is_new=count > 0)

    async def count_failure(self, step: str, event_id: str) -> int:
        """Count an unexpected failure of a step on an event; return how many there were."""
        rows = await self._database.fetch(_COUNT_FAILURE, (step, event_id))
        return int(rows[0][0])

    async def listing(self, tenant: str, *, status: str = "open", limit: int = 100) -> list[dict[str, Any]]:
        """List dead letters, newest first."""
        return [_document(row) for row in await self._database.fetch(_LIST, (tenant, status, limit))]

    async def get(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Read one dead letter."""
        rows = await self._database.fetch(_GET, (tenant, key))
        return _document(rows[0]) if rows else None

    async def replay(self, tenant: str, key: UUID, by: str) -> Saga | None:
        """Start the saga of an open dead letter over; None when it is not open any more. Clicked twice is done once."""
        return (await self.replay_all(tenant, [key], by=by)).done.get(key)

    async def replay_all(self, tenant: str, keys: Sequence[UUID], by: str) -> Settled:
        """Start the sagas of open dead letters over, in one transaction: all that can be.

        Sagas are locked first, in the order of their ids, and then the letters, as where a late success settles one.
        Whoever comes second with the same letter finds it settled.
        """
        async with self._database.transaction() as connection:
            sagas = SagaSet(connection)
            wanted = [row[1] for row in await _rows(connection, _OPEN, (tenant, Uuids(keys)))]
            changes = await sagas.lock(wanted) if wanted else {}
            started = {}
            for key, notification in await _rows(connection, _LOCK_OPEN, (tenant, Uuids(keys))) if changes else ():
                change = changes.get(notification)
                replayed = Replayed(by=by, window_seconds=REPLAY_WINDOW_SECONDS)
                if change is not None and change.take(decide(change.after, replayed, sagas.now)):
                    started[key] = change
            if started:
                await connection.execute(_TAKE, (by, tenant, Uuids(started)))
                await sagas.save(list(started.values()))
            refused = await _statuses(connection, tenant, [key for key in keys if key not in started])
        return Settled(done={key: change.after for key, change in started.items()}, refused=refused)

    async def discard_all(self, tenant: str, keys: Sequence[UUID], *, by: str, reason: str) -> Settled:
        """Settle open dead letters without starting anything over, in one statement; their timelines say by whom."""
        entry = Entry(what=What.DISCARDED, why=f"its dead letter was discarded by {by}: {reason}")
        async with self._database.transaction() as connection:
            values = (tenant, Uuids(keys), by, reason, Jsonb([line_of(entry)]))
            done = {row[0]: None for row in await _rows(connection, _DISCARD, values)}
            refused = await _statuses(connection, tenant, [key for key in keys if key not in done])
        return Settled(done=done, refused=refused)


async def _rows(connection: Connection, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement, values)).fetchall()


async def _statuses(connection: Connection, tenant: str, keys: Sequence[UUID]) -> dict[UUID, str]:
    return dict(await _rows(connection, _STATUSES, (tenant, Uuids(keys)))) if keys else {}


def hash_of(body: bytes) -> str:
    """Name some bytes."""
    return hashlib.sha256(body).hexdigest()


def _document(row: tuple[Any, ...]) -> dict[str, Any]:
    return {
        "id": str(row[0]),
        "kind": row[2],
        "status": row[3],
        "notification_id": str(row[4]) if row[4] else None,
        "epoch": row[5],
        "step": row[6],
        "reason": row[7],
        "body_base64": base64.b64encode(row[8]).decode() if row[8] is not None else None,
        "created_at": row[9].isoformat(),
        "settled_at": row[10].isoformat() if row[10] else None,
    }
