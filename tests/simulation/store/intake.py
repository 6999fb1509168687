"""Intake in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from shared.saga import Saga
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel, NotificationStatus
from shared.store.directory import User
from shared.store.intake import FIRST_LOOKS_SECONDS, Intake, Kept, NewNotification
from shared.store.recipients import device_of
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import NotificationRow


class MemoryIntake(Intake):
    """The room of `ingest`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def keep(self, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
        """Insert a set; return for each whether it is new."""
        return await self._memory.run(lambda tx: keep(tx, notifications))


def keep(tx: Transaction, notifications: Sequence[NewNotification]) -> list[tuple[Kept, str]]:
    """Insert a set, and the users that it needs made."""
    first: dict[UUID, NewNotification] = {}
    for item in notifications:
        first.setdefault(item.id, item)
    for key in sorted(first):
        _make(tx, first[key])
    new = {key for key in sorted(first) if _insert(tx, first[key])}
    answers = []
    for item in notifications:
        row = tx.memory.notifications.rows.get(item.id) or tx.get(tx.memory.notifications, item.id)
        assert row is not None
        if row.body_hash != item.body_hash:
            answers.append((Kept.CONFLICT, row.saga.status.value))
        else:
            is_new = item.id in new and item is first[item.id]
            answers.append((Kept.NEW if is_new else Kept.KNOWN, row.saga.status.value))
    return answers


def _make(tx: Transaction, item: NewNotification) -> None:
    if item.recipient is None:
        return
    key, address = (item.tenant, item.user_id), item.recipient.address
    fields = {
        Channel.EMAIL: {"email": address},
        Channel.SMS: {"phone": address},
        Channel.WHATSAPP: {"phone": address},
        Channel.TELEGRAM: {"telegram": address},
    }
    user = User(id=item.user_id, **fields.get(item.recipient.channel, {}))
    if tx.insert(tx.memory.users, key, user):
        is_device = item.recipient.channel is Channel.PUSH
        tx.put(tx.memory.made_users, key, device_of(item.recipient) if is_device else None)


def _insert(tx: Transaction, item: NewNotification) -> bool:
    now = tx.memory.now()
    due = max(now, item.send_at or now)
    is_later = due > now
    look = FIRST_LOOKS_SECONDS.get((item.wishes or {}).get("priority", ""), FIRST_LOOK_SECONDS)
    saga = Saga(
        id=item.id,
        tenant=item.tenant,
        status=NotificationStatus.SCHEDULED if is_later else NotificationStatus.PENDING,
        created_at=now,
        send_at=item.send_at,
        expires_at=min(item.expires_at or due + timedelta(hours=24), due + timedelta(days=7)),
        next_look_at=due if is_later else now + timedelta(seconds=look),
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
        wishes=item.wishes,
        updated_at=now,
    )
    return tx.insert(tx.memory.notifications, item.id, row)
