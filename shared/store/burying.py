"""Dead letters of sagas, kept in the transaction that ends them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid5

from shared.saga import Saga
from shared.store.columns import Integers, Texts, Uuids
from shared.store.database import Connection

_BURY_NOTIFICATIONS = """
INSERT INTO dead_letters (id, tenant, kind, notification_id, epoch, step, reason)
SELECT * FROM unnest(%b::uuid[], %b::text[], %b::text[], %b::uuid[], %b::int[], %b::text[], %b::text[])
ON CONFLICT (id) DO NOTHING
"""


async def bury(connection: Connection, kind: str, step: str, sagas: Sequence[Saga]) -> None:
    """Keep sagas as dead letters, inside the transaction that ends them."""
    if not sagas:
        return
    columns = [
        Uuids([uuid5(saga.id, f"dead letter\x1f{saga.epoch}") for saga in sagas]),
        Texts([saga.tenant for saga in sagas]),
        Texts([kind for _ in sagas]),
        Uuids([saga.id for saga in sagas]),
        Integers([saga.epoch for saga in sagas]),
        Texts([step for _ in sagas]),
        Texts([saga.reason for saga in sagas]),
    ]
    await connection.execute(_BURY_NOTIFICATIONS, columns)
