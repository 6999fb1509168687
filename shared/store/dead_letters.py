"""Dead letters: what needs a person. Only the database buries."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from uuid import UUID, uuid5

from shared.ids import NAMESPACE
from shared.saga import Decision, Replayed, Saga, decide
from shared.store.changes import Change
from shared.store.database import Database
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
_TAKE = """
UPDATE dead_letters SET status = 'replayed', settled_at = clock_timestamp(), settled_by = %s
WHERE tenant = %s AND id = %s AND status = 'open' AND notification_id IS NOT NULL RETURNING notification_id
"""
_COUNT_FAILURE = """
INSERT INTO step_failures AS f (step, event_id, count) VALUES (%s, %s, 1)
ON CONFLICT (step, event_id) DO UPDATE SET count = f.count + 1, updated_at = clock_timestamp() RETURNING count
"""
REPLAY_WINDOW_SECONDS = 24 * 3600


class DeadLetters:
    """The room of everything that needs a person."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_bytes(self, kind: str, step: str, reason: str, body: bytes, tenant: str = OPEN_TENANT) -> UUID:
        """Keep what no step can use, as it came. The same bytes at the same step are kept once.

        What cannot be read names no tenant: it is the default tenant's, who runs the installation.
        """
        key = uuid5(NAMESPACE, f"{step}\x1f{reason}\x1f{hash_of(body)}")
        await self._database.run(_BURY_BYTES, (key, tenant, kind, step, reason, body))
        return key

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
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_TAKE, (by, tenant, key))).fetchall()
            if not rows:
                return None
            sagas = SagaSet(connection)
            change: Change = (await sagas.lock([rows[0][0]]))[rows[0][0]]
            replayed = Replayed(by=by, window_seconds=REPLAY_WINDOW_SECONDS)
            decision: Decision = decide(change.before, replayed, sagas.now)
            change.take(decision)
            await sagas.save([change])
            return change.after


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
