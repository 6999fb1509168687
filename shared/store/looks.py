"""Bring forward when the sweep looks: for what nobody holds back, and for what came back from a step that failed.

A look is only ever earlier for it, and what has ended has none: so whoever asks need not know how a row stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from shared.store.columns import Floats, Uuids, transposed
from shared.store.database import Database
from shared.waits import Wait

_SAGAS = """
WITH waiting AS MATERIALIZED (
    SELECT n.id, w.seconds FROM unnest(%b::uuid[], %b::float8[]) AS w(id, seconds) JOIN notifications n ON n.id = w.id
    WHERE n.next_look_at > clock_timestamp() + w.seconds * interval '1 second'
    ORDER BY n.id FOR UPDATE OF n
)
UPDATE notifications n SET next_look_at = clock_timestamp() + w.seconds * interval '1 second'
FROM waiting w WHERE n.id = w.id
"""
_FAN_OUTS = """
UPDATE fan_outs SET next_look_at = clock_timestamp() + %b::float8 * interval '1 second'
WHERE id IN (
    SELECT id FROM fan_outs
    WHERE id = ANY(%b) AND next_look_at > clock_timestamp() + %b::float8 * interval '1 second'
    ORDER BY id FOR UPDATE SKIP LOCKED  -- whoever holds a row publishes what it is owed
)
"""
_LATE_SUCCESSES = """
WITH back AS MATERIALIZED (
    SELECT a.notification_id, a.token
    FROM unnest(%b::uuid[], %b::uuid[]) AS k(notification_id, token) JOIN attempts a USING (notification_id, token)
    WHERE a.next_look_at > clock_timestamp() + %b::float8 * interval '1 second'
    ORDER BY a.notification_id, a.token FOR UPDATE OF a SKIP LOCKED  -- whoever holds a row folds it
)
UPDATE attempts a SET next_look_at = clock_timestamp() + %b::float8 * interval '1 second'
FROM back b WHERE a.notification_id = b.notification_id AND a.token = b.token
"""


class Looks:
    """The room of looks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look_by(self, waits: Sequence[Wait]) -> int:
        """Look at sagas when they have waited, if the sweep would look later; return how many it would have.

        Raises:
            DatabaseUnavailable: something that passes; perhaps it does.
        """
        earliest: dict[UUID, float] = {}
        for wait in waits:
            known = earliest.get(wait.notification_id, wait.seconds)
            earliest[wait.notification_id] = min(known, wait.seconds)
        if not earliest:
            return 0
        return await self._database.run(_SAGAS, transposed((Uuids, Floats), sorted(earliest.items())))

    async def fan_outs_by(self, keys: Sequence[UUID], seconds: float) -> int:
        """Look so soon at events for many users that are not expanded."""
        return await self._database.run(_FAN_OUTS, (seconds, Uuids(sorted(set(keys))), seconds)) if keys else 0

    async def late_successes_by(self, pairs: Sequence[tuple[UUID, UUID]], seconds: float) -> int:
        """Look so soon at successes, by notification and token, that no saga knows yet."""
        columns = transposed((Uuids, Uuids), sorted(set(pairs)))
        return await self._database.run(_LATE_SUCCESSES, (*columns, seconds, seconds)) if pairs else 0
