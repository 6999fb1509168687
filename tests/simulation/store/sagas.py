"""Sagas in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid5

from shared.outcomes import Outcome
from shared.saga import AttemptRecorded, Followed, Receipt, ReceiptRecorded, Saga, next_look
from shared.saga.owed import LONGEST_LOOK_SECONDS
from shared.statuses import Channel, NotificationStatus
from shared.store import plans
from shared.store.abandoning import given_up
from shared.store.changes import Change, is_resolved
from shared.store.digests import Joining, Window
from shared.store.facts import Facts
from shared.store.late_successes import LateSuccess
from shared.store.sagas import Sagas, SagaSet
from shared.store.template_versions import Key
from shared.store.undoing import Correction, Undoing
from shared.templates import TemplateVersion
from tests.simulation.store import digests, undoing
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.facts import facts_of
from tests.simulation.store.inbox import retract
from tests.simulation.store.late_successes import due_successes, settle
from tests.simulation.store.recording import abandon
from tests.simulation.store.rows import AttemptRow, DeadLetterRow, DeliveryRow, NotificationRow, TimelineRow


class MemorySagaSet(SagaSet):
    """The rows that one transaction has locked."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction
        self.now = datetime.max

    async def lock(self, ids: Iterable[UUID]) -> dict[UUID, Change]:
        """Lock sagas in id order."""
        wanted = sorted(set(ids))
        return await self._read(await self.transaction.run(lambda tx: _locked(tx, wanted)))

    async def lock_due(self, limit: int) -> dict[UUID, Change]:
        """Lock the sagas that must be looked at, oldest first, leaving those that somebody else holds."""
        return await self._read(await self.transaction.run(lambda tx: _locked_due(tx, limit)))

    async def _read(self, found: list[NotificationRow]) -> dict[UUID, Change]:
        if not found:
            return {}
        self.now = self.transaction.memory.now()
        ids = {row.saga.id for row in found}
        deliveries: list[DeliveryRow] = []
        if any(row.is_routed for row in found):
            deliveries = await self.transaction.run(lambda tx: _locked_deliveries(tx, ids))
        sagas = {
            row.saga.id: row.saga.but(
                deliveries=tuple(d.delivery for d in deliveries if d.notification_id == row.saga.id)
            )
            for row in found
        }
        return {key: Change(before=saga, after=saga) for key, saga in sagas.items()}

    async def attempts(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], AttemptRecorded]:
        """Read attempts by (notification, token), to be folded: no late success among them is announced any more."""
        table = self.transaction.memory.attempts
        found = await self.transaction.run(lambda tx: {pair: tx.get(table, pair) for pair in pairs})
        await self.transaction.run(lambda tx: settle(tx, [pair for pair, row in found.items() if row is not None]))
        rows = {pair: row for pair, row in found.items() if row is not None}
        return {pair: replace(row.said, undelivered=_undelivered(self.transaction, row)) for pair, row in rows.items()}

    async def receipts(self, ids: Sequence[UUID]) -> dict[UUID, list[ReceiptRecorded]]:
        """Read the receipts of notifications, oldest first."""
        table = self.transaction.memory.receipts
        every = await self.transaction.run(lambda tx: sorted(tx.all(table).values(), key=lambda row: row.created_at))
        found: dict[UUID, list[ReceiptRecorded]] = {}
        for row in every:
            if row.notification_id in ids:
                found.setdefault(row.notification_id, []).append(row.said)
        return found

    async def facts(self, ids: Sequence[UUID]) -> dict[UUID, Facts]:
        """Read what routing and rendering ask about notifications."""
        return await self.transaction.run(lambda tx: facts_of(tx, ids))

    async def templates(self, keys: Collection[Key]) -> Mapping[Key, TemplateVersion]:
        """Read versions of templates."""
        if not keys:
            return {}
        table = self.transaction.memory.template_versions
        found = await self.transaction.run(lambda tx: {key: tx.get(table, key) for key in keys})
        return {key: version for key, version in found.items() if version is not None}

    async def bury(self, kind: str, step: str, sagas: Sequence[Saga]) -> None:
        """Keep sagas as dead letters."""
        await self.transaction.run(lambda tx: _bury(tx, kind, step, sagas))

    async def retract(self, ids: Sequence[UUID]) -> set[UUID]:
        """Take messages out of inboxes; return those that were there."""
        return await self.transaction.run(lambda tx: retract(tx, ids))

    async def begin_undoing(self, asked: Sequence[tuple[Saga, Channel]]) -> list[Undoing]:
        """Count a try to take each back, and read what its provider holds."""
        return await self.transaction.run(lambda tx: undoing.begin(tx, asked))

    async def note_undoing(self, said: Sequence[tuple[Saga, Channel, Outcome]]) -> None:
        """Keep what providers said when they were asked to take something back."""
        await self.transaction.run(lambda tx: undoing.note(tx, said))

    async def correct(self, corrections: Sequence[Correction]) -> None:
        """Keep corrections as notifications to be sent."""
        await self.transaction.run(lambda tx: undoing.correct(tx, corrections))

    async def join(self, joining: Sequence[Joining]) -> dict[UUID, Window]:
        """Add notifications to the open windows of their digests, or open them; by notification."""
        return await self.transaction.run(partial(digests.join, joining))

    async def members(
        self, statuses: Sequence[NotificationStatus], after: UUID, limit: int, of: Sequence[UUID]
    ) -> list[UUID]:
        """List members of digests that have one of these statuses."""
        return await self.transaction.run(partial(digests.members, statuses, after, limit, of))

    async def superseded(self, ids: Sequence[UUID]) -> set[UUID]:
        """Find those whose place a newer notification has taken."""
        return await self.transaction.run(partial(digests.superseded, ids))

    async def standings(self, ids: Sequence[UUID]) -> dict[UUID, Followed]:
        """Read where digests stand now."""
        return await self.transaction.run(partial(digests.standings, ids))

    async def contents(self, ids: Sequence[UUID]) -> dict[UUID, tuple[int, list[dict[str, Any]]]]:
        """Count the members that digests have gathered, and read the data of the first of them."""
        return await self.transaction.run(partial(digests.contents, ids))

    async def fill(self, data: Mapping[UUID, Mapping[str, Any]]) -> None:
        """Write what is in digests."""
        await self.transaction.run(partial(digests.fill, data))

    async def save(self, changes: Sequence[Change], *, looked: bool = False) -> None:
        """Write what changed, and when the sweep must look next."""
        await self.transaction.run(lambda tx: self._save(tx, changes, looked=looked))

    def _save(self, tx: Transaction, changes: Sequence[Change], *, looked: bool) -> None:
        for change in sorted(changes, key=lambda change: change.before.id):
            if change.entries:
                _abandon(tx, change)
                self._write(tx, change, looked=looked)
                _part(tx, change)
            elif looked:
                self._touch(tx, change)
        _resolve(tx, {change.before.id for change in changes if change.entries and is_resolved(change)})

    def _write(self, tx: Transaction, change: Change, *, looked: bool) -> None:
        before, after = change.before, change.after
        row = tx.lock(tx.memory.notifications, after.id)
        assert row is not None
        look, looks = self._look(change, looked=looked)
        is_new_plan = after.plan is not before.plan
        saga = row.saga.but(
            status=after.status,
            reason=after.reason,
            epoch=after.epoch,
            version=row.saga.version + 1,
            expires_at=after.expires_at,
            digest_id=after.digest_id or before.digest_id,
            plan=plans.from_json(plans.to_json(after.plan)) if is_new_plan else row.saga.plan,
            next_look_at=look,
            looks=looks,
            cancelled_by=after.cancelled_by,
        )
        now = tx.memory.now()
        changed = row.but(saga=saga, is_routed=row.is_routed or is_new_plan, updated_at=now)
        tx.put(tx.memory.notifications, after.id, changed)
        line = TimelineRow(notification_id=after.id, at=now, entries=tuple(change.entries))
        tx.put(tx.memory.timeline, (after.id, saga.version), line)
        for delivery in change.touched():
            _write_delivery(
                tx,
                change,
                DeliveryRow(
                    notification_id=after.id,
                    tenant=after.tenant,
                    delivery=delivery,
                    content=change.contents.get(delivery.channel),
                    updated_at=now,
                ),
            )

    def _look(self, change: Change, *, looked: bool) -> tuple[datetime | None, int]:
        wanted, kept = self._next_look(change.after), change.before.next_look_at
        if wanted is None or kept is None or looked or not self.now < kept <= wanted:
            return wanted, 0
        return kept, change.before.looks

    def _next_look(self, saga: Saga, looks: int = 0) -> datetime | None:
        return next_look(saga, self.now, looks, self.transaction.memory.grace)

    def _touch(self, tx: Transaction, change: Change) -> None:
        row = tx.lock(tx.memory.notifications, change.before.id)
        assert row is not None
        look = self._next_look(change.after, change.before.looks)
        saga = row.saga.but(next_look_at=look, looks=change.before.looks + 1)
        tx.put(tx.memory.notifications, change.before.id, row.but(saga=saga))


class MemorySagas(Sagas):
    """The room of orchestrate, compensate, sweep and replay."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SagaSet]:
        """Open a transaction over a set of sagas."""
        async with self._memory.transaction() as transaction:
            yield MemorySagaSet(transaction)

    async def due(self, limit: int) -> list[UUID]:
        """List what must be looked at, oldest first."""
        return [row.saga.id for row in await self._memory.run(_due)][:limit]

    async def late_successes(self, limit: int) -> list[LateSuccess]:
        """List the successes that must be announced since no saga knows them."""
        return await self._memory.run(lambda tx: due_successes(tx, limit))

    async def put_off(self, key: UUID) -> None:
        """Let the sweep look at one saga last."""
        await self._memory.run(lambda tx: _look_in(tx, key, LONGEST_LOOK_SECONDS))

    async def hasten(self) -> int:
        """Let the sweep look soon at everything under way."""
        return await self._memory.run(_hasten)


def _undelivered(tx: Transaction, row: AttemptRow) -> str | None:
    """Find what a provider reported if it could not deliver what it had taken."""
    key = (row.notification_id, row.said.channel, row.said.epoch, Receipt.FAILED.value)
    receipt = tx.get(tx.memory.receipts, key)
    return receipt.said.reason if receipt else None


def _locked(tx: Transaction, ids: Sequence[UUID]) -> list[NotificationRow]:
    found = [tx.lock(tx.memory.notifications, key) for key in ids if tx.get(tx.memory.notifications, key)]
    return [row for row in found if row is not None]


def _due(tx: Transaction) -> list[NotificationRow]:
    now = tx.memory.now()
    looks = [(row.saga.next_look_at, row) for row in tx.all(tx.memory.notifications).values()]
    due = [(look, row) for look, row in looks if look is not None and look <= now]
    return [row for _, row in sorted(due, key=lambda pair: pair[0])]


def _locked_due(tx: Transaction, limit: int) -> list[NotificationRow]:
    free = [row.saga.id for row in _due(tx) if not tx.is_locked(tx.memory.notifications, row.saga.id)]
    return _locked(tx, free[:limit])


def _locked_deliveries(tx: Transaction, ids: set[UUID]) -> list[DeliveryRow]:
    keys = sorted(key for key in tx.all(tx.memory.deliveries) if key[0] in ids)
    found = [tx.lock(tx.memory.deliveries, key) for key in keys]
    return [row for row in found if row is not None]


def _write_delivery(tx: Transaction, change: Change, new: DeliveryRow) -> None:
    key = (new.notification_id, new.delivery.channel)
    stored = tx.lock(tx.memory.deliveries, key)
    if stored is None:
        tx.put(tx.memory.deliveries, key, new.but(delivery=new.delivery.but(token=None)))
        return
    same_epoch = stored.delivery.epoch == new.delivery.epoch
    delivery = new.delivery.but(token=stored.delivery.token if same_epoch else None)
    content = stored.content if new.content is None else new.content
    tx.put(tx.memory.deliveries, key, new.but(delivery=delivery, content=content, claimed_at=stored.claimed_at))


def _part(tx: Transaction, change: Change) -> None:
    """Take out of its digest what has dropped out, and let the sweep tell the members of one that has ended."""
    if change.before.digest_id and not change.after.digest_id:
        row = tx.lock(tx.memory.notifications, change.before.id)
        assert row is not None
        tx.put(tx.memory.notifications, change.before.id, row.but(saga=row.saga.but(digest_id=None)))
    digests.wake(tx, change)


def _abandon(tx: Transaction, change: Change) -> None:
    for delivery in given_up(change):
        row = tx.lock(tx.memory.deliveries, (change.before.id, delivery.channel))
        assert row is not None
        abandon(tx, row, tx.memory.now())


def _bury(tx: Transaction, kind: str, step: str, sagas: Sequence[Saga]) -> None:
    for saga in sagas:
        key = uuid5(saga.id, f"dead letter\x1f{saga.epoch}")
        row = DeadLetterRow(
            id=key,
            tenant=saga.tenant,
            kind=kind,
            notification_id=saga.id,
            epoch=saga.epoch,
            step=step,
            reason=saga.reason,
            created_at=tx.memory.now(),
        )
        tx.insert(tx.memory.dead_letters, key, row)


def _resolve(tx: Transaction, ids: set[UUID]) -> None:
    for key, row in tx.all(tx.memory.dead_letters).items():
        if row.notification_id in ids and row.status == "open":
            settled = row.but(status="resolved", settled_at=tx.memory.now(), settled_by="late success")
            tx.put(tx.memory.dead_letters, key, settled)


def _look_in(tx: Transaction, key: UUID, seconds: float) -> None:
    row = tx.lock(tx.memory.notifications, key)
    if row is not None:
        saga = row.saga.but(next_look_at=tx.memory.now() + timedelta(seconds=seconds))
        tx.put(tx.memory.notifications, key, row.but(saga=saga))


def _hasten(tx: Transaction) -> int:
    table, count, soon = tx.memory.notifications, 0, tx.memory.now() + timedelta(seconds=10)
    for key, row in sorted(tx.all(table).items()):
        is_late = row.saga.next_look_at is not None and row.saga.next_look_at > soon
        if is_late and row.saga.status is not NotificationStatus.SCHEDULED and not tx.is_locked(table, key):
            look = tx.memory.now() + timedelta(seconds=10 * tx.memory.random.random())
            tx.put(table, key, row.but(saga=row.saga.but(looks=0, next_look_at=look)))
            count += 1
    return count
