"""The users of a tenant, one by one, by the page, and by the set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.store.database import Database
from shared.store.directory import PUT_USERS, USER_COLUMNS, User, user_columns, user_of

_CREATE = f"""
INSERT INTO users (tenant, {USER_COLUMNS})
SELECT %b, * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant, id) DO NOTHING
"""  # noqa: S608 - names of columns, all ours
_PUT = f"{PUT_USERS} RETURNING id, xmax = 0"
_LOCK = f"SELECT {USER_COLUMNS} FROM users WHERE tenant = %s AND id = %s FOR UPDATE"  # noqa: S608
_LIST = f"SELECT {USER_COLUMNS} FROM users WHERE tenant = %b AND id > %b ORDER BY id LIMIT %b"  # noqa: S608
_LIST_BY = f"""
SELECT {USER_COLUMNS} FROM users WHERE tenant = %b AND {{column}} = %b AND id > %b ORDER BY id LIMIT %b
"""  # noqa: S608
FILTERS = ("email", "phone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which users to list: from behind an id, and those with one address alone."""

    after: str = ""
    limit: int = 100
    filter: tuple[str, str] | None = None


class Users:
    """The room of the directory for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, tenant: str, user: User) -> bool:
        """Insert a user; return whether there was none of that id."""
        return bool(await self._database.run(_CREATE, [tenant, *user_columns([user])]))

    async def put(self, tenant: str, users: Sequence[User]) -> dict[str, bool]:
        """Insert or replace a set of users in one statement; map each id to whether it is new."""
        return dict(await self._database.fetch(_PUT, [tenant, *user_columns(users)])) if users else {}

    async def change(self, tenant: str, key: str, merge: Callable[[User], User]) -> User | None:
        """Change a user under a lock; None when there is none. What `merge` raises leaves everything as it was."""
        async with self._database.transaction() as connection:
            rows = await (await connection.execute(_LOCK, (tenant, key))).fetchall()
            if not rows:
                return None
            changed = merge(user_of(rows[0]))
            await connection.execute(PUT_USERS, [tenant, *user_columns([changed])])
            return changed

    async def listing(self, tenant: str, page: Page) -> list[User]:
        """List users in the order of their ids."""
        if page.filter is None:
            rows = await self._database.fetch(_LIST, (tenant, page.after, page.limit))
        else:
            column, value = page.filter
            assert column in FILTERS
            rows = await self._database.fetch(_LIST_BY.format(column=column), (tenant, value, page.after, page.limit))
        return [user_of(row) for row in rows]
