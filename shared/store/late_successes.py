"""Successes that found their delivery in other hands: kept by `RECORD`, announced by the sweep until a saga knows them.

The time stands in the attempt's own row. In the saga's it would be written against the order in which sagas lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import TupleRow

from shared.saga import ResultOwed
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel
from shared.store.columns import Uuids, transposed
from shared.store.database import Connection, Database

_DUE = f"""
WITH due AS MATERIALIZED (
    SELECT notification_id, token FROM attempts WHERE next_look_at <= clock_timestamp()
    ORDER BY next_look_at LIMIT %b FOR UPDATE SKIP LOCKED
)
UPDATE attempts a SET next_look_at = clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM due d LEFT JOIN notifications n ON n.id = d.notification_id
WHERE a.notification_id = d.notification_id AND a.token = d.token
RETURNING a.notification_id, a.tenant, a.epoch, n.traceparent, a.channel, a.attempt, a.token
"""  # noqa: S608 - a constant of ours
_SETTLE = """
UPDATE attempts a SET next_look_at = NULL
FROM unnest(%b::uuid[], %b::uuid[]) AS k(notification_id, token)
WHERE a.notification_id = k.notification_id AND a.token = k.token
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSuccess:
    """What a message about it is about, and the message that is owed."""

    id: UUID
    tenant: str
    epoch: int
    traceparent: str | None
    result: ResultOwed


async def late_successes(database: Database, limit: int) -> list[LateSuccess]:
    """List what is due to be announced, oldest first, and let it be due again later."""
    return [_late_success(row) for row in await database.fetch(_DUE, (limit,))]


async def settle(connection: Connection, known: Sequence[tuple[UUID, UUID]]) -> None:
    """Announce successes no more, in the transaction that folds them."""
    if known:
        await connection.execute(_SETTLE, transposed((Uuids, Uuids), sorted(known)))


def _late_success(row: TupleRow) -> LateSuccess:
    result = ResultOwed(channel=Channel(row[4]), attempt=row[5], epoch=row[2], token=row[6], succeeded=True)
    return LateSuccess(id=row[0], tenant=row[1], epoch=row[2], traceparent=row[3], result=result)
