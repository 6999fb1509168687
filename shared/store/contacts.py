"""What people want and when, and what holds for all of a tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from shared.contact_policy import ContactPolicy, read_policy
from shared.statuses import Channel
from shared.store.columns import Booleans, Texts, transposed
from shared.store.database import Database

_GET = """
SELECT u.quiet_hours, u.time_zone, p.category, p.channel, p.enabled
FROM users u LEFT JOIN preferences p ON p.tenant = u.tenant AND p.user_id = u.id
WHERE u.tenant = %b AND u.id = %b ORDER BY p.category, p.channel
"""
_PUT_HOURS = "UPDATE users SET quiet_hours = %b, time_zone = COALESCE(%b, time_zone) WHERE tenant = %b AND id = %b"
_FORGET = "DELETE FROM preferences WHERE tenant = %b AND user_id = %b"
_PUT = """
INSERT INTO preferences (tenant, user_id, category, channel, enabled)
SELECT %b, %b, * FROM unnest(%b::text[], %b::text[], %b::bool[])
ON CONFLICT (tenant, user_id, category, channel) DO UPDATE SET enabled = EXCLUDED.enabled
"""
"""Somebody may unsubscribe at the same moment: what they say is not to stop this, and comes before it or after."""

_GET_POLICY = "SELECT definition::text FROM contact_policies WHERE tenant = %b"
_PUT_POLICY = """
INSERT INTO contact_policies (tenant, definition) VALUES (%b, %b)
ON CONFLICT (tenant) DO UPDATE SET definition = EXCLUDED.definition, updated_at = clock_timestamp()
"""

Wishes = Mapping[str, Mapping[Channel, bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a person has said: by category and channel, and when they sleep.

    `quiet_hours` is the rule as it is stored: none is the tenant's, `{}` is no quiet hours at all.
    """

    wishes: Wishes = field(default_factory=dict)
    quiet_hours: dict[str, Any] | None = None
    time_zone: str | None = None


class Contacts:
    """The room of the directory for wishes and quiet hours. Facts and claims read them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def preferences(self, tenant: str, user_id: str) -> Preferences | None:
        """Read what a person has said; None when nobody knows them."""
        rows = await self._database.fetch(_GET, (tenant, user_id))
        if not rows:
            return None
        wishes: dict[str, dict[Channel, bool]] = {}
        for _, _, category, channel, enabled in rows:
            if category is not None:
                wishes.setdefault(category, {})[Channel(channel)] = enabled
        return Preferences(wishes=wishes, quiet_hours=rows[0][0], time_zone=rows[0][1])

    async def put_preferences(self, tenant: str, user_id: str, said: Preferences) -> bool:
        """Replace what a person has said, as a whole; return whether anybody knows them.

        Without a zone theirs stays.
        """
        rows = sorted(
            (category, channel.value, enabled)
            for category, channels in said.wishes.items()
            for channel, enabled in channels.items()
        )
        hours = None if said.quiet_hours is None else Jsonb(said.quiet_hours)
        async with self._database.transaction() as connection:
            changed = await connection.execute(_PUT_HOURS, (hours, said.time_zone, tenant, user_id))
            if not changed.rowcount:
                return False
            await connection.execute(_FORGET, (tenant, user_id))
            await connection.execute(_PUT, [tenant, user_id, *transposed((Texts, Texts, Booleans), rows)])
            return True

    async def policy(self, tenant: str) -> ContactPolicy:
        """Read what holds for all people of a tenant."""
        rows = await self._database.fetch(_GET_POLICY, (tenant,))
        return read_policy(rows[0][0] if rows else None)

    async def put_policy(self, tenant: str, policy: ContactPolicy) -> None:
        """Replace what holds for all people of a tenant."""
        await self._database.run(_PUT_POLICY, (tenant, Jsonb(policy.model_dump(mode="json", by_alias=True))))
