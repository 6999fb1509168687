"""The inbox in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from shared.saga import Receipt, ReceiptRecorded
from shared.statuses import Channel
from shared.store.inbox import SAID, Change, Inbox, Item, Mark, NewItem, News, Place, Seen, Shelf, items_each
from shared.store.inbox_sql import MOST_CHANGES, MOST_COUNTED
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.rows import CursorRow, InboxRow, ReceiptRow

SHELVES: dict[Shelf, Callable[[InboxRow], bool]] = {
    Shelf.UNREAD: lambda row: row.is_unread,
    Shelf.ALL: lambda row: row.archived_at is None,
    Shelf.ARCHIVED: lambda row: row.archived_at is not None,
}


class MemoryInbox(Inbox):
    """The room of push_ws and realtime."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def put(self, items: Sequence[NewItem]) -> None:
        """Put a set of messages into inboxes; one that is there already is left alone."""
        await self._memory.run(lambda tx: _put(tx, items))

    async def since(self, tenant: str, user_id: str, cursor: int, limit: int = 100) -> list[Item]:
        """Read what a user got after a cursor, oldest first."""
        return [_item(row) for row in self._of(tenant, user_id) if row.cursor > cursor and not row.retracted_at][:limit]

    async def last(self, tenant: str, user_id: str) -> int:
        """Read the highest cursor of a user; 0 when there is none."""
        return self._memory.inbox_cursors.rows.get((tenant, user_id), CursorRow()).last

    async def news(self, places: Sequence[Place]) -> list[News]:
        """Read what came after each place."""
        return [self._news(place, items_each(len(places))) for place in places]

    async def behind(self, places: Sequence[Place]) -> list[tuple[str, str]]:
        """Name those people of whose inbox there is more than at these places."""
        rows = [(place, self._memory.inbox_cursors.rows.get((place.tenant, place.user_id))) for place in places]
        return [
            (place.tenant, place.user_id)
            for place, row in rows
            if row and (row.last > (place.cursor or 0) or row.changes > (place.change or 0))
        ]

    async def page(self, tenant: str, user_id: str, shelf: Shelf, *, before: int | None, limit: int) -> list[Item]:
        """Read a part of an inbox, newest first, from below a cursor."""
        there = [row for row in self._of(tenant, user_id) if not row.retracted_at and SHELVES[shelf](row)]
        return [_item(row) for row in reversed(there) if before is None or row.cursor < before][:limit]

    async def unread_ids(self, tenant: str, user_id: str, until: int, limit: int) -> list[UUID]:
        """List the oldest messages that are neither read nor archived, up to a cursor."""
        there = [row for row in self._of(tenant, user_id) if row.is_unread and row.cursor <= until]
        return [row.notification_id for row in there][:limit]

    async def mark(self, tenant: str, user_id: str, mark: Mark, ids: Sequence[UUID]) -> set[UUID]:
        """Mark messages of a person; return those that were not marked so before."""
        return await self._memory.run(lambda tx: _mark(tx, tenant, user_id, mark, set(ids)))

    async def note(self, seen: Sequence[Seen], receipt: Receipt) -> list[tuple[UUID, int]]:
        """Keep what clients say of their messages as receipts; return (notification, epoch) of those that are new."""
        return await self._memory.run(lambda tx: _note(tx, set(seen), receipt))

    def _of(self, tenant: str, user_id: str) -> list[InboxRow]:
        rows = self._memory.inbox.rows.values()
        return sorted((row for row in rows if (row.tenant, row.user_id) == (tenant, user_id)), key=lambda r: r.cursor)

    def _news(self, place: Place, most: int) -> News:
        stand = self._memory.inbox_cursors.rows.get((place.tenant, place.user_id), CursorRow())
        rows = self._of(place.tenant, place.user_id)
        cursor = stand.last if place.cursor is None else place.cursor
        change = stand.changes if place.change is None else place.change
        items = [_item(row) for row in rows if row.cursor > cursor and not row.retracted_at][:most]
        marked = sorted((row.change, row) for row in rows if row.change is not None and row.change > change)
        marks = [
            Change(row.notification_id, number, bool(row.read_at), bool(row.archived_at), bool(row.retracted_at))
            for number, row in marked[:MOST_CHANGES]
        ]
        return News(
            last=stand.last,
            changes=stand.changes,
            unread=min(MOST_COUNTED, sum(row.is_unread for row in rows)),
            items=items,
            marks=marks,
            is_all_items=len(items) < most,
            is_all_marks=len(marks) < MOST_CHANGES,
        )


def _item(row: InboxRow) -> Item:
    return Item(**{name: getattr(row, name) for name in Item.__dataclass_fields__})


def _put(tx: Transaction, items: Sequence[NewItem]) -> None:
    first: dict[tuple[UUID, int], NewItem] = {}
    for item in items:
        if tx.get(tx.memory.inbox, (item.notification_id, item.epoch)) is None:
            first.setdefault((item.notification_id, item.epoch), item)
    for person in sorted({(item.tenant, item.user_id) for item in first.values()}):
        tx.lock(tx.memory.inbox_cursors, person)
    for key, item in sorted(first.items()):
        person = (item.tenant, item.user_id)
        stand = tx.lock(tx.memory.inbox_cursors, person) or CursorRow()
        tx.put(tx.memory.inbox_cursors, person, stand.but(last=stand.last + 1))
        row = InboxRow(
            tenant=item.tenant,
            user_id=item.user_id,
            cursor=stand.last + 1,
            notification_id=item.notification_id,
            epoch=item.epoch,
            content=item.content,
            created_at=tx.memory.now(),
        )
        tx.insert(tx.memory.inbox, key, row)


def _note(tx: Transaction, seen: set[Seen], receipt: Receipt) -> list[tuple[UUID, int]]:
    memory, now, new = tx.memory, tx.memory.now(), []
    for key, found in sorted(tx.all(memory.inbox).items()):
        if Seen(found.tenant, found.user_id, found.notification_id) not in seen:
            continue
        row = tx.lock(memory.inbox, key) or found
        tx.put(memory.inbox, key, row.but(acknowledged_at=row.acknowledged_at or now))
        said = ReceiptRecorded(channel=Channel.WEBSOCKET, epoch=row.epoch, receipt=receipt, reason=SAID[receipt])
        kept = ReceiptRow(notification_id=row.notification_id, said=said, created_at=now)
        if tx.insert(memory.receipts, (row.notification_id, said.channel, row.epoch, said.receipt.value), kept):
            new.append((row.notification_id, row.epoch))
    return [(key, epoch) for key, epoch in new if _look_soon(tx, key)]


def _mark(tx: Transaction, tenant: str, user_id: str, mark: Mark, ids: set[UUID]) -> set[UUID]:
    rows = [(key, row) for key, row in tx.all(tx.memory.inbox).items() if row.notification_id in ids]
    mine = [(key, row) for key, row in rows if (row.tenant, row.user_id) == (tenant, user_id)]
    return _change(tx, mine, lambda row: _marked(row, mark, tx.memory.now()))


def _marked(row: InboxRow, mark: Mark, now: datetime) -> InboxRow:
    if mark in (Mark.READ, Mark.UNREAD):
        return row.but(read_at=(row.read_at or now) if mark is Mark.READ else None)
    return row.but(archived_at=(row.archived_at or now) if mark is Mark.ARCHIVE else None)


def _change(
    tx: Transaction, rows: Sequence[tuple[tuple[UUID, int], InboxRow]], changed: Callable[[InboxRow], InboxRow]
) -> set[UUID]:
    """Change rows that are not so already, each under the next number of its person; return whose they are."""
    wanted = [(key, row) for key, row in rows if row.retracted_at is None and changed(row) != row]
    for person in sorted({(row.tenant, row.user_id) for _, row in wanted}):
        tx.lock(tx.memory.inbox_cursors, person)
    done = set()
    for key, seen in sorted(wanted, key=lambda found: found[1].cursor):
        row, person = tx.lock(tx.memory.inbox, key) or seen, (seen.tenant, seen.user_id)
        stand = tx.lock(tx.memory.inbox_cursors, person) or CursorRow()
        tx.put(tx.memory.inbox_cursors, person, stand.but(changes=stand.changes + 1))
        if row.retracted_at is None and changed(row) != row:
            tx.put(tx.memory.inbox, key, changed(row).but(change=stand.changes + 1))
            done.add(row.notification_id)
    return done


def _look_soon(tx: Transaction, key: UUID) -> bool:
    row = tx.lock(tx.memory.notifications, key)
    if row is None:
        return False
    saga = row.saga.but(looks=0, next_look_at=tx.memory.now() + timedelta(seconds=15))
    tx.put(tx.memory.notifications, key, row.but(saga=saga))
    return True


def retract(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Take messages out of inboxes; return those that were there."""
    now = tx.memory.now()
    rows = [(key, row) for key, row in tx.all(tx.memory.inbox).items() if row.notification_id in ids]
    return _change(tx, rows, lambda row: row.but(retracted_at=row.retracted_at or now))
