"""Forgetting a person: asked for once, done in bounded sets, by whoever comes by, until nothing is left.

The request takes away what belongs to the person alone. Then, in two passes, what hangs on their notifications goes.
The second pass comes when no call can be under way any more that was when the first one came by: what such a call had
to say, with an address in it perhaps, was written behind the first one's back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from shared.saga import Erased, decide
from shared.store.changes import Change
from shared.store.claim_sql import LEASE_SECONDS
from shared.store.database import Connection, Database
from shared.store.erasing_sql import BYTES, FORGET_INBOX, FORGET_PERSON, HASH_SUPPRESSIONS, LEFTOVERS, NOTIFICATIONS
from shared.store.sagas import SagaSet
from shared.tenants import OPEN_TENANT

LARGEST_SET = 200
MOST_SETS = 20
"""Of one person, each time somebody comes by: 4,000 notifications."""

SECOND_PASS_AFTER_SECONDS = 3 * LEASE_SECONDS
PUT_OFF_SECONDS = 60
NO_ID, LONG_AGO = UUID(int=0), datetime(1970, 1, 1, tzinfo=UTC)

_COLUMNS = """id, tenant, user_id, alias, requested_at, is_second, needles, after_letter, after_at, after_id,
              notifications, finished_at"""
_KNOWN = """
SELECT u.name, u.email, u.phone, u.whatsapp, u.telegram FROM users u WHERE u.tenant = %s AND u.id = %s FOR UPDATE
"""
_HAS_NOTIFICATIONS = "SELECT 1 FROM notifications WHERE tenant = %s AND user_id = %s LIMIT 1"
_ASK = """
INSERT INTO erasures (id, tenant, user_id, alias, needles) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant, user_id) WHERE user_id IS NOT NULL DO NOTHING
"""
_UNDER_WAY = f"SELECT {_COLUMNS} FROM erasures WHERE tenant = %s AND user_id = %s"  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM erasures WHERE tenant = %s AND id = %s"  # noqa: S608
_TAKE = f"""
SELECT {_COLUMNS} FROM erasures WHERE id = %s AND look_at <= clock_timestamp() FOR UPDATE SKIP LOCKED
"""  # noqa: S608
_DUE = "SELECT id FROM erasures WHERE look_at <= clock_timestamp() ORDER BY look_at LIMIT 10"
_OF_PERSON = """
SELECT id FROM notifications WHERE tenant = %s AND user_id = %s AND created_at <= %s ORDER BY created_at, id LIMIT %s
"""
_OF_ALIAS = """
SELECT created_at, id FROM notifications
WHERE tenant = %s AND user_id = %s AND (created_at, id) > (%s, %s) ORDER BY created_at, id LIMIT %s
"""
_COUNT = "UPDATE erasures SET notifications = notifications + %s WHERE id = %s"
_TURN = """
UPDATE erasures SET is_second = true, needles = NULL, look_at = clock_timestamp() + %s * interval '1 second'
WHERE id = %s
"""
_FINISH = """
UPDATE erasures SET user_id = NULL, look_at = NULL, after_letter = NULL, after_at = NULL, after_id = NULL,
       finished_at = clock_timestamp()
WHERE id = %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One person's erasure. Without `user_id` it is done, and names nobody."""

    id: UUID
    tenant: str
    user_id: str | None
    alias: str
    requested_at: datetime
    is_second: bool
    needles: list[str] | None
    after_letter: UUID | None
    after_at: datetime | None
    after_id: UUID | None
    notifications: int
    finished_at: datetime | None


Folded = tuple[Sequence[Change], datetime]
"""What became of some notifications, and the time of the transaction."""


class Erasures:
    """The room of the directory and the sweep for people who are to be forgotten."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, tenant: str, user_id: str) -> Erasure | None:
        """Forget what belongs to a person alone, and note that the rest must follow; None when nobody knows them.

        Asked again while it is under way, it is the same erasure.
        """
        async with self._database.transaction() as connection:
            known = await (await connection.execute(_KNOWN, (tenant, user_id))).fetchall()
            if known or await (await connection.execute(_HAS_NOTIFICATIONS, (tenant, user_id))).fetchall():
                key = uuid4()
                person = {"tenant": tenant, "user": user_id, "alias": f"erased-{key}"}
                needles = _needles(user_id, known[0] if known else ())
                asked = await connection.execute(_ASK, (key, tenant, user_id, person["alias"], needles))
                if asked.rowcount:
                    for statement in (HASH_SUPPRESSIONS, *FORGET_PERSON):
                        await connection.execute(statement, person)
            rows = await (await connection.execute(_UNDER_WAY, (tenant, user_id))).fetchall()
        return _erasure(rows[0]) if rows else None

    async def get(self, tenant: str, key: UUID) -> Erasure | None:
        """Read one."""
        rows = await self._database.fetch(_GET, (tenant, key))
        return _erasure(rows[0]) if rows else None

    async def due(self) -> list[UUID]:
        """List those that must be gone on with, oldest first."""
        return [row[0] for row in await self._database.fetch(_DUE)]

    async def put_off(self, key: UUID) -> None:
        """Let the others go first."""
        statement = "UPDATE erasures SET look_at = clock_timestamp() + %s * interval '1 second' WHERE id = %s"
        await self._database.run(statement, (PUT_OFF_SECONDS, key))

    async def work(self, key: UUID, *, most_sets: int = MOST_SETS) -> list[Folded]:
        """Go on with one, in transactions of bounded size; whoever holds it already is let alone.

        Return what became of its notifications, set by set.
        """
        done: list[Folded] = []
        for _ in range(most_sets):
            async with self._database.transaction() as connection:
                rows = await (await connection.execute(_TAKE, (key,))).fetchall()
                folded, may_go_on = await _go_on(connection, _erasure(rows[0])) if rows else (None, False)
            if folded:
                done.append(folded)
            if not may_go_on:
                break
        return done


async def _go_on(connection: Connection, erasure: Erasure) -> tuple[Folded | None, bool]:
    """Do the next set; return what became of it, and whether there may be another one now."""
    folded = await _forget_notifications(connection, erasure)
    if folded:
        return folded, True
    if erasure.is_second:
        return None, await _second_pass(connection, erasure)
    if await _forget_bytes(connection, erasure):
        return None, True
    await connection.execute(_TURN, (SECOND_PASS_AFTER_SECONDS, erasure.id))
    return None, False


async def _forget_notifications(connection: Connection, erasure: Erasure) -> Folded | None:
    """End what is under way, and keep of it that it was."""
    values = (erasure.tenant, erasure.user_id, erasure.requested_at, LARGEST_SET)
    ids = [row[0] for row in await (await connection.execute(_OF_PERSON, values)).fetchall()]
    if not ids:
        return None
    sagas = SagaSet(connection)
    changes = list((await sagas.lock(ids)).values())
    for change in changes:
        change.take(decide(change.after, Erased(), sagas.now))
    await sagas.save(changes)
    named: dict[str, Any] = {"ids": ids, "alias": erasure.alias}
    for statement in (*LEFTOVERS, NOTIFICATIONS):
        await connection.execute(statement, named)
    await connection.execute(_COUNT, (len(ids), erasure.id))
    return changes, sagas.now


async def _forget_bytes(connection: Connection, erasure: Erasure) -> bool:
    """Look through the bytes of dead letters: the tenant's, and those that name no tenant."""
    tenants = list({erasure.tenant, OPEN_TENANT})
    named: dict[str, Any] = {"tenants": tenants, "after": erasure.after_letter or NO_ID, "limit": LARGEST_SET}
    rows = await (await connection.execute(BYTES, {**named, "needles": erasure.needles or []})).fetchall()
    if rows:
        await connection.execute("UPDATE erasures SET after_letter = %s WHERE id = %s", (rows[0][0], erasure.id))
    return bool(rows)


async def _second_pass(connection: Connection, erasure: Erasure) -> bool:
    after = (erasure.after_at or LONG_AGO, erasure.after_id or NO_ID)
    values = (erasure.tenant, erasure.alias, *after, LARGEST_SET)
    rows = await (await connection.execute(_OF_ALIAS, values)).fetchall()
    if not rows:
        for statement in FORGET_INBOX:
            await connection.execute(statement, {"tenant": erasure.tenant, "user": erasure.user_id})
        await connection.execute(_FINISH, (erasure.id,))
        return False
    for statement in LEFTOVERS:
        await connection.execute(statement, {"ids": [row[1] for row in rows]})
    statement = "UPDATE erasures SET after_at = %s, after_id = %s WHERE id = %s"
    await connection.execute(statement, (*rows[-1], erasure.id))
    return True


def _needles(user_id: str, contacts: tuple[str | None, ...]) -> list[str]:
    """List what gives a person away in bytes that may be anything: their name and addresses, and their id where it
    is said to be one."""
    texts = [text for text in contacts if text and len(text) > 2]
    found = {form for text in texts for form in (text, text.lower(), json.dumps(text)[1:-1])}
    for gap in ("", " "):
        for name in ("user_id", "subject"):
            said = f'"{name}":{gap}'
            found |= {f"{said}{json.dumps(user_id)}", f"{said}{user_id},", f"{said}{user_id}}}"}
    return sorted(found)


def _erasure(row: tuple[Any, ...]) -> Erasure:
    names: Mapping[str, Any] = dict(zip((name.strip() for name in _COLUMNS.split(",")), row, strict=True))
    return Erasure(**names)
