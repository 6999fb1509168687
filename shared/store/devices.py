"""The devices of people: where push messages go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from shared.outcomes import Device
from shared.store.columns import Texts, Times, transposed
from shared.store.database import Connection, Database

ADDRESS = """COALESCE(u.device, (
    SELECT json_agg(json_build_array(v.provider, v.token, v.registered_at, v.platform) ORDER BY v.registered_at)::text
    FROM devices v WHERE v.tenant = u.tenant AND v.user_id = u.id))"""
"""All devices of a user as one text; null when there is none, so that who has none has no address.

Whom Carillon made for a device has it in the row: the registration of its owner stays as it is.
"""

_REGISTER = """
INSERT INTO devices (tenant, provider, token, user_id, platform) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (tenant, provider, token) DO UPDATE
SET user_id = EXCLUDED.user_id, platform = EXCLUDED.platform, registered_at = clock_timestamp()
"""
_REMOVE = "DELETE FROM devices WHERE tenant = %s AND user_id = %s AND provider = %s AND token = %s"
_OF_USER = """
SELECT provider, token, registered_at, platform FROM devices WHERE tenant = %s AND user_id = %s ORDER BY registered_at
"""
_FORGET = """
DELETE FROM devices v USING unnest(%b::text[], %b::text[], %b::text[], %b::timestamptz[])
    AS dead(tenant, provider, token, registered_at)
WHERE v.tenant = dead.tenant AND v.provider = dead.provider AND v.token = dead.token
  AND v.registered_at = dead.registered_at
"""
"""Compare and delete: whoever registered the same token again meanwhile keeps it."""


class Devices:
    """The room of the directory for devices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, tenant: str, user_id: str, *, provider: str, token: str, platform: str = "") -> None:
        """Note a device; a token that was another user's is this one's from now on."""
        await self._database.run(_REGISTER, (tenant, provider, token, user_id, platform))

    async def remove(self, tenant: str, user_id: str, *, provider: str, token: str) -> bool:
        """Remove a device; return whether it was there."""
        return bool(await self._database.run(_REMOVE, (tenant, user_id, provider, token)))

    async def of_user(self, tenant: str, user_id: str) -> list[Device]:
        """List the devices of a user, oldest registration first."""
        rows = await self._database.fetch(_OF_USER, (tenant, user_id))
        return [Device(provider=row[0], token=row[1], registered_at=row[2], platform=row[3]) for row in rows]


async def forget(connection: Connection, dead: Sequence[tuple[str, Device]]) -> None:
    """Delete registrations that a provider called dead, by (tenant, device), inside a transaction."""
    rows = sorted({(tenant, one.provider, one.token, one.registered_at) for tenant, one in dead})
    await connection.execute(_FORGET, transposed((Texts, Texts, Texts, Times), rows))


def read_address(text: str) -> tuple[Device, ...]:
    """Read what `ADDRESS` selected."""
    return tuple(
        Device(provider=row[0], token=row[1], registered_at=datetime.fromisoformat(row[2]), platform=row[3])
        for row in json.loads(text)
    )
