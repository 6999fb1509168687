"""Intake in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.saga import Saga
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel, NotificationStatus
from shared.store.intake import Intake, Kept, NewNotification
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import NotificationRow


class MemoryIntake(Intake):
    """The room of `ingest`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def keep(self, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
        """Insert a set; return for each whether it is new."""
        first: dict[UUID, NewNotification] = {}
        for item in notifications:
            first.setdefault(item.id, item)
        new = await self._memory.run(lambda tx: {key for key in sorted(first) if _insert(tx, first[key])})
        answers = []
        for item in notifications:
            row = self._memory.notifications.rows[item.id]
            status = NotificationStatus.PENDING if item.id in new else row.saga.status
            if row.body_hash != item.body_hash:
                answers.append((Kept.CONFLICT, status.value))
            else:
                is_new = item.id in new and item is first[item.id]
                answers.append((Kept.NEW if is_new else Kept.KNOWN, status.value))
        return answers


def _insert(tx: Transaction, item: NewNotification) -> bool:
    now = tx.memory.now()
    saga = Saga(
        id=item.id,
        tenant=item.tenant,
        status=NotificationStatus.PENDING,
        created_at=now,
        expires_at=min(item.expires_at or now + timedelta(hours=24), now + timedelta(days=7)),
        next_look_at=now + timedelta(seconds=FIRST_LOOK_SECONDS),
        traceparent=item.traceparent,
        correlation_id=item.correlation_id,
    )
    row = NotificationRow(
        saga=saga,
        user_id=item.user_id,
        event_type=item.event_type,
        source=item.source,
        body_hash=item.body_hash,
        data=item.data,
        preferred=Channel(item.preferred) if item.preferred else None,
        has_own_expiry=item.expires_at is not None,
        collapse_key=item.collapse_key,
        updated_at=now,
    )
    return tx.insert(tx.memory.notifications, item.id, row)
