"""Receipts in memory."""

from __future__ import annotations

from datetime import timedelta

from shared.callback_links import Subject
from shared.saga import Receipt, ReceiptRecorded
from shared.store.receipts import SUPPRESSIBLE, Receipts
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.facts import address_of
from tests.simulation.store.rows import ReceiptRow


class MemoryReceipts(Receipts):
    """The room of `callbacks`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def keep(self, subject: Subject, receipt: Receipt, reason: str, *, suppress: bool) -> bool:
        """Keep a receipt; return whether it is new."""
        said = ReceiptRecorded(channel=subject.channel, epoch=subject.epoch, receipt=receipt, reason=reason)
        async with self._memory.transaction() as transaction:
            is_new = await transaction.run(lambda tx: _keep(tx, subject, said))
            if is_new and suppress and subject.channel in SUPPRESSIBLE:
                await transaction.run(lambda tx: _suppress(tx, subject, reason))
            return is_new


def _keep(tx: Transaction, subject: Subject, said: ReceiptRecorded) -> bool:
    key, memory, now = subject.notification_id, tx.memory, tx.memory.now()
    found = tx.get(memory.notifications, key)
    if found is None or found.saga.tenant != subject.tenant:
        return False
    receipt = ReceiptRow(notification_id=key, said=said, created_at=now)
    if not tx.insert(memory.receipts, (key, said.channel, said.epoch, said.receipt.value), receipt):
        return False
    row = tx.lock(memory.notifications, key)
    assert row is not None
    soon = now + timedelta(seconds=15)
    look = min(row.saga.next_look_at or soon, soon)
    tx.put(memory.notifications, key, row.but(saga=row.saga.but(looks=0, next_look_at=look)))
    return True


def _suppress(tx: Transaction, subject: Subject, reason: str) -> None:
    memory, channel = tx.memory, subject.channel
    delivery = tx.get(memory.deliveries, (subject.notification_id, channel))
    notification = tx.get(memory.notifications, subject.notification_id)
    if delivery is None or notification is None or delivery.delivery.epoch != subject.epoch:
        return
    person = (subject.tenant, notification.user_id)
    changed_at, address = (
        tx.get(memory.user_changes, person),
        address_of(tx, subject.tenant, tx.get(memory.users, person), channel),
    )
    is_same = changed_at is not None and delivery.claimed_at is not None and changed_at <= delivery.claimed_at
    if is_same and address is not None:
        tx.insert(memory.suppressions, (subject.tenant, channel, address), reason)
