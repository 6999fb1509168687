"""Retention: deleting what has ended, in rounds through all that is old enough, a bounded set at a time.

Each set is one transaction, and the row that says how far the round has come is part of it: whoever is interrupted has
deleted a set whole or not at all. A round leaves behind what is still needed; the next one looks at it again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.store.columns import Uuids
from shared.store.database import Connection, Database
from shared.store.retention_sql import DELETE, DELETE_LOOSE, LOCK, LOOK, MOVE, NEXT_TENANT, TAKE, UNNEEDED

LARGEST_SET = 500
ROUND_EVERY = timedelta(hours=1)
"""So often a round begins at most: what must stay is looked at once in each."""

BEFORE_ALL = ("", datetime(1970, 1, 1, tzinfo=UTC), UUID(int=0))

Place = tuple[str, datetime, UUID]
"""A tenant, and the time and id of the notification that was looked at last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How far the round under way has come: to `after`, or not to the notifications yet.

    `ends_before` is None when it is over.
    """

    began_at: datetime | None
    ends_before: datetime | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one set came to: notifications that were looked at and deleted, and whether there may be another set."""

    looked_at: int = 0
    deleted: int = 0
    may_go_on: bool = False


class Retention:
    """The room of the sweep, for what has been kept long enough."""

    largest_set = LARGEST_SET

    def __init__(self, database: Database) -> None:
        self._database = database

    async def go_on(self, days: int) -> Progress:
        """Go on with the round, or begin one that deletes what ended so many days before now; one set.

        Whoever comes while somebody else is at it does nothing.
        """
        async with self._database.transaction() as connection:
            row = await (await connection.execute(TAKE)).fetchone()
            if row is None:
                return Progress()
            now, began_at, ends_before, *after = row
            known = Round(began_at=began_at, ends_before=ends_before, after=_place(*after))
            found = due(known, now, days)
            if found is None:
                return Progress()
            reached, progress = await self._go_on(connection, found)
            await connection.execute(MOVE, (reached.began_at, reached.ends_before, *(reached.after or (None,) * 3)))
        return replace(progress, may_go_on=reached.ends_before is not None)

    async def _go_on(self, connection: Connection, known: Round) -> tuple[Round, Progress]:
        values: dict[str, Any] = {"before": known.ends_before, "limit": self.largest_set}
        if known.after is None:
            counts = [(await connection.execute(statement, values)).rowcount for statement in DELETE_LOOSE]
            is_done = max(counts) < self.largest_set
            return (replace(known, after=BEFORE_ALL) if is_done else known), Progress()
        tenant, at, key = known.after
        values |= {"tenant": tenant, "at": at, "id": key}
        rows = await (await connection.execute(LOOK, values)).fetchall()
        deleted = await _delete(connection, [row[1] for row in rows], known.ends_before) if rows else 0
        if len(rows) == self.largest_set:
            reached = replace(known, after=(tenant, *rows[-1]))
        else:
            reached = await _next_tenant(connection, known, tenant)
        return reached, Progress(looked_at=len(rows), deleted=deleted)


def due(known: Round, now: datetime, days: int) -> Round | None:
    """Tell which round is to be gone on with, if any: the one under way, or a new one when its time has come.

    Whoever lets more days be kept is heard at once, in the middle of a round, too.
    """
    ends_before = now - timedelta(days=days)
    if known.ends_before is not None:
        return replace(known, ends_before=min(known.ends_before, ends_before))
    if known.began_at is not None and now < known.began_at + ROUND_EVERY:
        return None
    return Round(began_at=now, ends_before=ends_before)


def _place(tenant: str | None, at: datetime | None, key: UUID | None) -> Place | None:
    return None if tenant is None or at is None or key is None else (tenant, at, key)


async def _delete(connection: Connection, ids: Collection[UUID], before: datetime | None) -> int:
    """Delete those that have ended and that nothing needs, with everything that hangs on them; count them.

    A digest goes with the last of its members.
    """
    locked = [row[0] for row in await (await connection.execute(LOCK, (Uuids(ids), before))).fetchall()]
    if not locked:
        return 0
    unneeded = await (await connection.execute(UNNEEDED, (Uuids(locked),))).fetchall()
    for statement in DELETE if unneeded else ():
        await connection.execute(statement, (Uuids([row[0] for row in unneeded]),))
    digests = {row[1] for row in unneeded if row[1] is not None}
    return len(unneeded) + (await _delete(connection, digests, before) if digests else 0)


async def _next_tenant(connection: Connection, known: Round, tenant: str) -> Round:
    rows = await (await connection.execute(NEXT_TENANT, (tenant,))).fetchall()
    if not rows:
        return Round(began_at=known.began_at)
    return replace(known, after=(rows[0][0], *BEFORE_ALL[1:]))
