"""The inbox in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from shared.saga import Receipt, ReceiptRecorded
from shared.statuses import Channel
from shared.store.inbox import Inbox, Item, NewItem
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import InboxRow, ReceiptRow


class MemoryInbox(Inbox):
    """The room of push_ws and realtime."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def put(self, items: Sequence[NewItem]) -> None:
        """Put a set of messages into inboxes; one that is there already is left alone."""
        await self._memory.run(lambda tx: _put(tx, items))

    async def since(self, tenant: str, user_id: str, cursor: int, limit: int = 100) -> list[Item]:
        """Read what a user got after a cursor, oldest first."""
        rows = sorted(self._memory.inbox.rows.values(), key=lambda row: row.cursor)
        found = [
            Item(
                cursor=row.cursor,
                notification_id=row.notification_id,
                epoch=row.epoch,
                content=row.content,
                created_at=row.created_at,
                acknowledged_at=row.acknowledged_at,
            )
            for row in rows
            if (row.tenant, row.user_id) == (tenant, user_id) and row.cursor > cursor and row.retracted_at is None
        ]
        return found[:limit]

    async def last(self, tenant: str, user_id: str) -> int:
        """Read the highest cursor of a user; 0 when there is none."""
        return self._memory.inbox_cursors.rows.get((tenant, user_id), 0)

    async def acknowledge(self, tenant: str, user_id: str, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
        """Note that a client has them, as receipts; return (notification, epoch) of those that are new."""
        return await self._memory.run(lambda tx: _acknowledge(tx, tenant, user_id, set(ids)))


def _put(tx: Transaction, items: Sequence[NewItem]) -> None:
    first: dict[tuple[UUID, int], NewItem] = {}
    for item in items:
        if tx.get(tx.memory.inbox, (item.notification_id, item.epoch)) is None:
            first.setdefault((item.notification_id, item.epoch), item)
    for person in sorted({(item.tenant, item.user_id) for item in first.values()}):
        tx.lock(tx.memory.inbox_cursors, person)
    for key, item in sorted(first.items()):
        person = (item.tenant, item.user_id)
        cursor = (tx.lock(tx.memory.inbox_cursors, person) or 0) + 1
        tx.put(tx.memory.inbox_cursors, person, cursor)
        row = InboxRow(
            tenant=item.tenant,
            user_id=item.user_id,
            cursor=cursor,
            notification_id=item.notification_id,
            epoch=item.epoch,
            content=item.content,
            created_at=tx.memory.now(),
        )
        tx.insert(tx.memory.inbox, key, row)


def _acknowledge(tx: Transaction, tenant: str, user_id: str, ids: set[UUID]) -> list[tuple[UUID, int]]:
    memory, now, new = tx.memory, tx.memory.now(), []
    for key, seen in sorted(tx.all(memory.inbox).items()):
        if (seen.tenant, seen.user_id) != (tenant, user_id) or seen.notification_id not in ids:
            continue
        row = tx.lock(memory.inbox, key) or seen
        tx.put(memory.inbox, key, replace(row, acknowledged_at=row.acknowledged_at or now))
        said = ReceiptRecorded(
            channel=Channel.WEBSOCKET,
            epoch=row.epoch,
            receipt=Receipt.DELIVERED,
            reason="the person's client acknowledged it",
        )
        receipt = ReceiptRow(notification_id=row.notification_id, said=said, created_at=now)
        if tx.insert(memory.receipts, (row.notification_id, said.channel, row.epoch, said.receipt.value), receipt):
            new.append((row.notification_id, row.epoch))
    return [(key, epoch) for key, epoch in new if _look_soon(tx, key)]


def _look_soon(tx: Transaction, key: UUID) -> bool:
    row = tx.lock(tx.memory.notifications, key)
    if row is None:
        return False
    saga = replace(row.saga, looks=0, next_look_at=tx.memory.now() + timedelta(seconds=15))
    tx.put(tx.memory.notifications, key, replace(row, saga=saga))
    return True


def retract(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Take messages out of inboxes; return those that were there."""
    gone = set()
    for key, seen in sorted(tx.all(tx.memory.inbox).items()):
        if seen.notification_id in ids and seen.retracted_at is None:
            row = tx.lock(tx.memory.inbox, key) or seen
            tx.put(tx.memory.inbox, key, replace(row, retracted_at=tx.memory.now()))
            gone.add(row.notification_id)
    return gone
