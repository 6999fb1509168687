"""Digests in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from shared.digests import MOST_EVENTS, digest_id
from shared.saga import Followed, Saga
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import NotificationStatus
from shared.store.changes import Change
from shared.store.digests import (
    BEGINNING_CHARACTERS,
    LARGEST_EVENT_BYTES,
    Digests,
    DueDigest,
    Joining,
    Phase,
    Window,
    first_of_each,
    has_ended,
)
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import DigestRow, NotificationRow


class MemoryDigests(Digests):
    """The room of the sweep, for digests."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def due(self, limit: int) -> list[DueDigest]:
        """List the digests that must be looked at; a window that is listed is closed."""
        return await self._memory.run(partial(_due, limit))

    async def settle(self, digests: Sequence[DueDigest], *, is_done: bool) -> None:
        """Look at digests no more, or once more at once."""
        await self._memory.run(lambda tx: _settle(tx, digests, is_done=is_done))


def _due(limit: int, tx: Transaction) -> list[DueDigest]:
    table, now = tx.memory.digests, tx.memory.now()
    looks = sorted((row.next_look_at, key) for key, row in tx.all(table).items() if row.next_look_at is not None)
    due = [key for look, key in looks if look <= now and not tx.is_locked(table, key)][:limit]
    found = []
    for key in due:
        row = tx.lock(table, key)
        assert row is not None
        phase = Phase.GATHERING if row.phase is Phase.COLLECTING else row.phase
        later = now + timedelta(seconds=FIRST_LOOK_SECONDS)
        tx.put(table, key, row.but(phase=phase, next_look_at=later))
        if row.phase is Phase.COLLECTING:
            tx.put(tx.memory.open_digests, row.key, None)
        found.append(DueDigest(id=key, phase=phase, joined=row.joined, looked_at=later))
    return found


def _settle(tx: Transaction, digests: Sequence[DueDigest], *, is_done: bool) -> None:
    for one in sorted(digests, key=lambda one: one.id):
        row = tx.lock(tx.memory.digests, one.id)
        if row is None or row.next_look_at != one.looked_at:
            continue
        phase = Phase.CLOSED if is_done else row.phase
        tx.put(tx.memory.digests, one.id, row.but(phase=phase, next_look_at=None if is_done else tx.memory.now()))


def join(joining: Sequence[Joining], tx: Transaction) -> dict[UUID, Window]:
    """Add notifications to the open windows of their keys, and open those that there are not."""
    first, counts = first_of_each(joining), Counter(one.key for one in joining)
    windows = {key: _window(tx, one, counts[key]) for key, one in first.items()}
    return {one.notification_id: windows[one.key] for one in joining}


def _window(tx: Transaction, one: Joining, count: int) -> Window:
    memory = tx.memory
    known = tx.lock(memory.open_digests, one.key)  # the place in the unique index
    if known is not None:
        row = tx.lock(memory.digests, known)
        assert row is not None
        assert row.next_look_at is not None
        tx.put(memory.digests, known, row.but(joined=row.joined + count))
        return Window(known, row.next_look_at)
    key = digest_id(one.key, one.notification_id)
    tx.put(memory.open_digests, one.key, key)
    tx.put(memory.digests, key, DigestRow(key=one.key, joined=count, next_look_at=one.closes_at))
    window = Window(key, one.closes_at)
    _open(tx, one, window)
    return window


def _open(tx: Transaction, one: Joining, window: Window) -> None:
    now = tx.memory.now()
    saga = Saga(
        id=window.digest_id,
        tenant=one.tenant,
        status=NotificationStatus.SCHEDULED,
        created_at=now,
        expires_at=window.kept_until,
        send_at=window.closes_at,
        traceparent=one.traceparent,
        is_digest=True,
    )
    row = NotificationRow(
        saga=saga,
        user_id=one.user_id,
        event_type=one.event_type,
        source="digest",
        body_hash=b"",
        data={},
        updated_at=now,
    )
    tx.put(tx.memory.notifications, window.digest_id, row)


def wake(tx: Transaction, change: Change) -> None:
    """Let the sweep tell the members of a digest that has ended."""
    if not has_ended(change):
        return
    row = tx.lock(tx.memory.digests, change.before.id)
    assert row is not None
    if row.phase is Phase.COLLECTING:
        tx.put(tx.memory.open_digests, row.key, None)
    tx.put(tx.memory.digests, change.before.id, row.but(phase=Phase.CLOSED, next_look_at=tx.memory.now()))


def members(
    statuses: Sequence[NotificationStatus], after: UUID, limit: int, of: Sequence[UUID], tx: Transaction
) -> list[UUID]:
    """List members of digests that have one of these statuses."""
    rows = tx.all(tx.memory.notifications).values()
    found = [row.saga.id for row in rows if row.saga.digest_id in of and row.saga.status in statuses]
    return sorted(key for key in found if key > after)[:limit]


def superseded(ids: Sequence[UUID], tx: Transaction) -> set[UUID]:
    """Find those whose place a newer notification has taken."""
    rows = tx.all(tx.memory.notifications)
    return {key for key in ids if any(_replaces(row, rows[key]) for row in rows.values())}


def _replaces(newer: NotificationRow, row: NotificationRow) -> bool:
    mine = (row.saga.tenant, row.user_id, row.collapse_key)
    is_same = (newer.saga.tenant, newer.user_id, newer.collapse_key) == mine and row.collapse_key is not None
    return is_same and newer.saga.created_at > row.saga.created_at


def standings(ids: Sequence[UUID], tx: Transaction) -> dict[UUID, Followed]:
    """Read where digests stand now."""
    rows = {key: tx.get(tx.memory.notifications, key) for key in ids}
    return {key: Followed(row.saga.status, row.saga.reason) for key, row in rows.items() if row is not None}


def contents(ids: Sequence[UUID], tx: Transaction) -> dict[UUID, tuple[int, list[dict[str, Any]]]]:
    """Count the members that digests have gathered, and read the data of the first of them."""
    every = tx.all(tx.memory.notifications).values()
    gathered = sorted(
        (row for row in every if row.saga.status is NotificationStatus.QUEUED),
        key=lambda row: (row.saga.created_at, row.saga.id),
    )
    found = {}
    for key in ids:
        mine = [row for row in gathered if row.saga.digest_id == key]
        found[key] = (len(mine), [_shown(row.data) for row in mine[:MOST_EVENTS]])
    return found


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in data.items() if name != "options"}
    if len(repr(shown)) <= LARGEST_EVENT_BYTES:
        return shown
    return {"message": shown["message"][:BEGINNING_CHARACTERS]}


def fill(data: Mapping[UUID, Mapping[str, Any]], tx: Transaction) -> None:
    """Write what is in digests."""
    for key, content in sorted(data.items()):
        row = tx.lock(tx.memory.notifications, key)
        assert row is not None
        tx.put(tx.memory.notifications, key, row.but(data=dict(content)))
