"""The inbox of a person: what WebSocket delivery writes, what a client resumes from, and how it is marked."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import TupleRow

from shared.saga import Receipt
from shared.store import inbox_sql
from shared.store.columns import Bigints, Documents, Integers, Texts, Uuids, transposed
from shared.store.database import Connection, Database
from shared.store.inbox_items import Change, Item, Mark, NewItem, News, Place, Seen, Shelf
from shared.store.inbox_sql import MOST_CHANGES, MOST_ITEMS

__all__ = ["Change", "Inbox", "Item", "Mark", "NewItem", "News", "Place", "Seen", "Shelf", "retract"]

ITEMS_OF_ALL = 500
LEAST_ITEMS = 5
"""Of one person among many: the more are asked for at once, the less of each is in memory."""
BEYOND_ALL = 2**63 - 1

SAID = {
    Receipt.DELIVERED: "the person's client acknowledged it",
    Receipt.READ: "the person read it in the inbox",
}


class Inbox:
    """The room of push_ws, realtime and the directory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, items: Sequence[NewItem]) -> None:
        """Put a set of messages into inboxes; one that is there already is left alone."""
        first: dict[tuple[UUID, int], NewItem] = {}
        for item in items:
            first.setdefault((item.notification_id, item.epoch), item)
        rows = list(first.values())
        columns = [
            Texts([row.tenant for row in rows]),
            Texts([row.user_id for row in rows]),
            Uuids([row.notification_id for row in rows]),
            Integers([row.epoch for row in rows]),
            Documents([row.content for row in rows]),
        ]
        await self._database.run(inbox_sql.PUT, columns)

    async def since(self, tenant: str, user_id: str, cursor: int, limit: int = 100) -> list[Item]:
        """Read what a user got after a cursor, oldest first."""
        rows = await self._database.fetch(inbox_sql.SINCE, (tenant, user_id, cursor, limit))
        return [_item(row) for row in rows]

    async def last(self, tenant: str, user_id: str) -> int:
        """Read the highest cursor of a user; 0 when there is none."""
        rows = await self._database.fetch(inbox_sql.LAST, (tenant, user_id))
        return int(rows[0][0]) if rows else 0

    async def news(self, places: Sequence[Place]) -> list[News]:
        """Read what came after each place, in one statement: of one moment, and of bounded size."""
        columns = transposed(
            (Texts, Texts, Bigints, Bigints), [(p.tenant, p.user_id, p.cursor, p.change) for p in places]
        )
        most = items_each(len(places))
        values = dict(zip(("tenants", "users", "cursors", "changes"), columns, strict=True))
        rows = await self._database.fetch(inbox_sql.NEWS, {**values, "items": most})
        found: dict[int, list[TupleRow]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(row)
        return [_news(found[place], most) for place in range(1, len(places) + 1)]

    async def behind(self, places: Sequence[Place]) -> list[tuple[str, str]]:
        """Name those people, by tenant and id, of whose inbox there is more than at these places."""
        rows = [(place.tenant, place.user_id, place.cursor or 0, place.change or 0) for place in places]
        found = await self._database.fetch(inbox_sql.BEHIND, transposed((Texts, Texts, Bigints, Bigints), rows))
        return [(row[0], row[1]) for row in found]

    async def page(self, tenant: str, user_id: str, shelf: Shelf, *, before: int | None, limit: int) -> list[Item]:
        """Read a part of an inbox, newest first, from below a cursor."""
        values = (tenant, user_id, BEYOND_ALL if before is None else before, limit)
        return [_item(row) for row in await self._database.fetch(inbox_sql.PAGE[shelf], values)]

    async def unread_ids(self, tenant: str, user_id: str, until: int, limit: int) -> list[UUID]:
        """List the oldest messages that are neither read nor archived, up to a cursor."""
        rows = await self._database.fetch(inbox_sql.UNREAD_IDS, (tenant, user_id, until, limit))
        return [row[0] for row in rows]

    async def mark(self, tenant: str, user_id: str, mark: Mark, ids: Sequence[UUID]) -> set[UUID]:
        """Mark messages of a person; return those that were not marked so before. Each gets the next number."""
        values = {"tenant": tenant, "user": user_id, "ids": Uuids(ids)}
        return {row[0] for row in await self._database.fetch(inbox_sql.MARK[mark], values)}

    async def acknowledge(self, tenant: str, user_id: str, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
        """Note that a client of one person has them; return (notification, epoch) of those that are new."""
        return await self.note([Seen(tenant, user_id, key) for key in ids], Receipt.DELIVERED)

    async def note(self, seen: Sequence[Seen], receipt: Receipt) -> list[tuple[UUID, int]]:
        """Keep what clients say of their messages as receipts; return (notification, epoch) of those that are new.

        The saga hears of it by an event; if that is lost, by the sweep, which looks 15 s later.
        """
        said = sorted({(one.notification_id, one.tenant, one.user_id) for one in seen})  # two sets never deadlock
        columns = transposed((Texts, Texts, Uuids), [(tenant, user_id, key) for key, tenant, user_id in said])
        rows = await self._database.fetch(inbox_sql.NOTE, (*columns, receipt.value, SAID[receipt]))
        return [(row[0], row[1]) for row in rows]


async def retract(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Take messages out of inboxes, inside a transaction; return those that were there."""
    rows = await (await connection.execute(inbox_sql.RETRACT, (Uuids(ids),))).fetchall()
    return {row[0] for row in rows}


def items_each(people: int) -> int:
    """Say how many items of each person are read at most, when so many people are looked at."""
    return max(LEAST_ITEMS, min(MOST_ITEMS, ITEMS_OF_ALL // max(1, people)))


def _item(row: Sequence[object]) -> Item:
    return Item(**dict(zip(Item.__dataclass_fields__, row, strict=True)))  # type: ignore[arg-type]


def _news(rows: Sequence[TupleRow], most: int) -> News:
    _, last, changes, unread, marks, found, *_ = rows[0]
    items = [_item(row[6:]) for row in rows if row[6] is not None]
    told = [Change(UUID(key), *rest) for key, *rest in marks or ()]
    return News(
        last=last,
        changes=changes,
        unread=unread,
        items=items,
        marks=told,
        is_all_items=len(items) == (found or 0) < most,
        is_all_marks=len(told) < MOST_CHANGES,
    )
