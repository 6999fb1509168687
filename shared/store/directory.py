"""People, their wishes, and the workflows of a tenant: the facts that routing asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.saga import Why
from shared.statuses import Channel
from shared.store.claims import ADDRESS
from shared.store.database import Connection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who gets the message."""

    id: str
    name: str = field(default="", repr=False)
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    telegram: str | None = field(default=None, repr=False)
    locale: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What routing and rendering need to know about one notification."""

    event_type: str
    user_id: str
    user_name: str = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    preferred: Channel | None
    workflow: dict[str, Any] | None
    obstacles: Mapping[Channel, Why]


_IS_SUPPRESSED = " OR ".join(
    f"(s.channel = '{channel}' AND s.address = {column})" for channel, column in ADDRESS.items()
)
_FACTS = f"""
SELECT n.id, n.event_type, n.user_id, COALESCE(u.name, ''), n.data, n.preferred,
       COALESCE(w.definition, d.definition), u.id IS NOT NULL,
       {", ".join(f"{column} IS NOT NULL" for column in ADDRESS.values())},
       (SELECT array_agg(p.channel) FROM preferences p
        WHERE p.tenant = n.tenant AND p.user_id = n.user_id AND NOT p.enabled
          AND p.category IN (COALESCE(w.definition->>'category', d.definition->>'category', 'general'), '*')),
       (SELECT array_agg(s.channel) FROM suppressions s
        WHERE s.tenant = n.tenant AND ({_IS_SUPPRESSED}))
FROM notifications n
LEFT JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
LEFT JOIN workflows w ON w.tenant = n.tenant AND w.event_type = n.event_type
LEFT JOIN workflows d ON d.tenant = n.tenant AND d.event_type = '*'
WHERE n.id = ANY(%b)
"""  # noqa: S608 - names of columns, all ours
_FIRST_ADDRESS = 8

_PUT_USERS = """
INSERT INTO users (tenant, id, name, email, phone, telegram, locale)
SELECT %b, * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant, id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone, telegram = EXCLUDED.telegram,
    locale = EXCLUDED.locale, updated_at = clock_timestamp()
"""
_GET_USER = "SELECT id, name, email, phone, telegram, locale FROM users WHERE tenant = %s AND id = %s"
_GET_WORKFLOW = """
SELECT definition FROM workflows WHERE tenant = %s AND event_type IN (%s, '*') ORDER BY event_type = '*' LIMIT 1
"""
_PUT_WORKFLOW = """
INSERT INTO workflows (tenant, event_type, definition) VALUES (%s, %s, %s)
ON CONFLICT (tenant, event_type) DO UPDATE SET definition = EXCLUDED.definition, updated_at = clock_timestamp()
"""
_PUT_PREFERENCE = """
INSERT INTO preferences (tenant, user_id, category, channel, enabled) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant, user_id, category, channel) DO UPDATE SET enabled = EXCLUDED.enabled
"""


async def facts(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Facts]:
    """Read the facts of a set of notifications inside their transaction."""
    if not ids:
        return {}
    rows = await (await connection.execute(_FACTS, (list(ids),))).fetchall()
    return {row[0]: _facts(row) for row in rows}


def _facts(row: tuple[Any, ...]) -> Facts:
    known, addresses = row[7], row[_FIRST_ADDRESS : _FIRST_ADDRESS + len(ADDRESS)]
    opted_out, suppressed = row[-2] or (), row[-1] or ()
    obstacles: dict[Channel, Why] = {}
    for channel, has_address in zip(ADDRESS, addresses, strict=True):
        checks = (
            (not known, Why.UNKNOWN_USER),
            (not has_address, Why.NO_ADDRESS),
            (channel.value in opted_out, Why.OPTED_OUT),
            (channel.value in suppressed, Why.SUPPRESSED),
        )
        why = next((why for applies, why in checks if applies), None)
        if why:
            obstacles[channel] = why
    return Facts(
        event_type=row[1],
        user_id=row[2],
        user_name=row[3],
        data=row[4],
        preferred=Channel(row[5]) if row[5] else None,
        workflow=row[6],
        obstacles=obstacles,
    )


class Directory:
    """The room of users, preferences and workflows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_users(self, tenant: str, users: Sequence[User]) -> None:
        """Insert or replace a set of users."""
        rows = sorted(users, key=lambda user: user.id)
        columns = [
            [user.id for user in rows],
            [user.name for user in rows],
            [user.email for user in rows],
            [user.phone for user in rows],
            [user.telegram for user in rows],
            [user.locale for user in rows],
        ]
        await self._database.run(_PUT_USERS, [tenant, *columns])

    async def put_workflow(self, tenant: str, event_type: str, definition: Mapping[str, Any]) -> None:
        """Insert or replace the workflow of an event type; `*` is the tenant's default."""
        await self._database.run(_PUT_WORKFLOW, (tenant, event_type, Jsonb(dict(definition))))

    async def put_preference(
        self, tenant: str, user_id: str, category: str, channel: Channel, *, enabled: bool
    ) -> None:
        """Say whether a user wants a category on a channel; `*` is every category."""
        await self._database.run(_PUT_PREFERENCE, (tenant, user_id, category, channel.value, enabled))

    async def user(self, tenant: str, key: str) -> User | None:
        """Read one user."""
        rows = await self._database.fetch(_GET_USER, (tenant, key))
        if not rows:
            return None
        found = dict(zip(("id", "name", "email", "phone", "telegram", "locale"), rows[0], strict=True))
        return User(**found)

    async def workflow(self, tenant: str, event_type: str) -> dict[str, Any]:
        """Read the definition that an event type follows: its own, else the tenant's default, else nothing."""
        rows = await self._database.fetch(_GET_WORKFLOW, (tenant, event_type))
        return dict(rows[0][0]) if rows else {}

    async def has_users(self, tenant: str) -> bool:
        """Tell whether a tenant has any user."""
        return bool(await self._database.fetch("SELECT 1 FROM users WHERE tenant = %s LIMIT 1", (tenant,)))
