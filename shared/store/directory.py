"""People, their wishes, and the workflows of a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.statuses import Channel
from shared.store.columns import Documents, Texts
from shared.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who gets the message."""

    id: str
    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    whatsapp: str | None = field(default=None, repr=False)
    telegram: str | None = field(default=None, repr=False)
    locale: str = "en"
    time_zone: str | None = None


USER_FIELDS = ("id", "name", "email", "phone", "whatsapp", "telegram", "locale", "time_zone")
USER_COLUMNS = ", ".join(USER_FIELDS)

PUT_USERS = f"""
INSERT INTO users (tenant, {USER_COLUMNS})
SELECT %b, * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant, id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone, whatsapp = EXCLUDED.whatsapp,
    telegram = EXCLUDED.telegram, locale = EXCLUDED.locale, time_zone = EXCLUDED.time_zone,
    updated_at = clock_timestamp()
"""  # noqa: S608 - names of columns, all ours
_GET_USER = f"SELECT {USER_COLUMNS} FROM users WHERE tenant = %s AND id = %s"  # noqa: S608
_GET_WORKFLOW = """
SELECT definition FROM workflows WHERE tenant = %s AND event_type IN (%s, '*') ORDER BY event_type = '*' LIMIT 1
"""
_PUT_WORKFLOWS = """
INSERT INTO workflows AS w (tenant, event_type, definition)
SELECT %b, * FROM unnest(%b::text[], %b::jsonb[])
ON CONFLICT (tenant, event_type) DO UPDATE SET definition = EXCLUDED.definition, updated_at = clock_timestamp()
WHERE w.definition <> EXCLUDED.definition
"""
_LIST_WORKFLOWS = """
SELECT event_type, definition FROM workflows WHERE tenant = %s AND event_type > %s ORDER BY event_type LIMIT %s
"""
_DELETE_WORKFLOW = "DELETE FROM workflows WHERE tenant = %s AND event_type = %s"
_PUT_PREFERENCE = """
INSERT INTO preferences (tenant, user_id, category, channel, enabled) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant, user_id, category, channel) DO UPDATE SET enabled = EXCLUDED.enabled
"""


class Directory:
    """The room of users, preferences and workflows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_users(self, tenant: str, users: Sequence[User]) -> None:
        """Insert or replace a set of users."""
        await self._database.run(PUT_USERS, [tenant, *user_columns(users)])

    async def put_workflow(self, tenant: str, event_type: str, definition: Mapping[str, Any]) -> None:
        """Insert or replace the workflow of an event type; `*` is the tenant's default."""
        await self.put_workflows(tenant, {event_type: definition})

    async def put_workflows(self, tenant: str, definitions: Mapping[str, Mapping[str, Any]]) -> int:
        """Insert or replace workflows by their event types, all or none; return how many are new or changed."""
        rows = sorted(definitions.items())
        columns = [Texts([event_type for event_type, _ in rows]), Documents([dict(said) for _, said in rows])]
        return await self._database.run(_PUT_WORKFLOWS, [tenant, *columns]) if rows else 0

    async def workflows(self, tenant: str, *, after: str = "", limit: int = 100) -> list[tuple[str, dict[str, Any]]]:
        """List event types with the definitions of their workflows, from behind the last one that is known."""
        rows = await self._database.fetch(_LIST_WORKFLOWS, (tenant, after, limit))
        return [(row[0], row[1]) for row in rows]

    async def delete_workflow(self, tenant: str, event_type: str) -> bool:
        """Let an event type follow the default again; return whether it had a workflow of its own."""
        return bool(await self._database.run(_DELETE_WORKFLOW, (tenant, event_type)))

    async def put_preference(
        self, tenant: str, user_id: str, category: str, channel: Channel, *, enabled: bool
    ) -> None:
        """Say whether a user wants a category on a channel; `*` is every category."""
        await self._database.run(_PUT_PREFERENCE, (tenant, user_id, category, channel.value, enabled))

    async def user(self, tenant: str, key: str) -> User | None:
        """Read one user."""
        rows = await self._database.fetch(_GET_USER, (tenant, key))
        return user_of(rows[0]) if rows else None

    async def workflow(self, tenant: str, event_type: str) -> dict[str, Any]:
        """Read the definition that an event type follows: its own, else the tenant's default, else nothing."""
        rows = await self._database.fetch(_GET_WORKFLOW, (tenant, event_type))
        return dict(rows[0][0]) if rows else {}

    async def has_users(self, tenant: str) -> bool:
        """Tell whether a tenant has any user."""
        return bool(await self._database.fetch("SELECT 1 FROM users WHERE tenant = %s LIMIT 1", (tenant,)))


def user_columns(users: Sequence[User]) -> list[Texts]:
    """Turn users into columns, in the order of their ids: two sets that meet never deadlock."""
    rows = sorted(users, key=lambda user: user.id)
    return [Texts([getattr(user, name) for user in rows]) for name in USER_FIELDS]


def user_of(row: Sequence[Any]) -> User:
    """Read a user's row, in the order of `USER_FIELDS`."""
    return User(**dict(zip(USER_FIELDS, row, strict=True)))
