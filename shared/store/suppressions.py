"""Suppressions: addresses to which nothing is sent any more, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.statuses import Channel
from shared.store.columns import Texts
from shared.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One address of one channel, and why nothing is sent there."""

    channel: Channel
    address: str = field(repr=False)
    reason: str
    created_at: datetime


_LIST = """
SELECT channel, address, reason, created_at FROM suppressions
WHERE tenant = %s AND (%s::text IS NULL OR channel = %s) AND (channel, address) > (%s, %s)
ORDER BY channel, address LIMIT %s
"""
_PUT = """
INSERT INTO suppressions (tenant, channel, address, reason) VALUES (%s, %s, %s, %s)
ON CONFLICT (tenant, channel, address) DO UPDATE SET reason = EXCLUDED.reason
RETURNING channel, address, reason, created_at
"""
_LIFT = """
WITH lifted AS (DELETE FROM suppressions WHERE {which} RETURNING tenant, channel, address), forgotten AS (
    DELETE FROM suppressed_hashes h USING lifted l
    WHERE h.tenant = l.tenant AND h.channel = l.channel AND h.hash = hash_of_address(l.tenant, l.channel, l.address)
)
SELECT tenant FROM lifted
"""
"""What an erasure has kept of it goes, too: it would come back with the next write of the address."""

_LIFT_ONE = _LIFT.format(which="tenant = %b::text AND channel = %b::text AND address = %b::text")
_LIFT_FOR = _LIFT.format(which="channel = %b::text AND address = %b::text AND reason = ANY(%b::text[])")


class Suppressions:
    """The room of the directory for addresses that are left alone. The claims read them, and write most of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listing(
        self, tenant: str, *, channel: Channel | None = None, after: tuple[str, str] = ("", ""), limit: int = 100
    ) -> list[Suppression]:
        """List those of a tenant by channel and address, from behind the last one that is known."""
        only = channel.value if channel else None
        rows = await self._database.fetch(_LIST, (tenant, only, only, *after, limit))
        return [_suppression(row) for row in rows]

    async def put(self, tenant: str, channel: Channel, address: str, reason: str) -> Suppression:
        """Suppress an address; one that is suppressed already gets the new reason."""
        return _suppression((await self._database.fetch(_PUT, (tenant, channel.value, address, reason)))[0])

    async def lift(self, tenant: str, channel: Channel, address: str) -> bool:
        """Send there again; return whether it was suppressed."""
        return bool(await self._database.fetch(_LIFT_ONE, (tenant, channel.value, address)))

    async def lift_everywhere(self, channel: Channel, address: str, reasons: Sequence[str]) -> list[str]:
        """Send there again, if it was suppressed for one of these reasons; return the tenants for whom it was.

        The one statement without a tenant here: what a carrier blocks and lifts is a pair of numbers, and the numbers
        are the installation's.
        """
        rows = await self._database.fetch(_LIFT_FOR, (channel.value, address, Texts(list(reasons))))
        return [str(row[0]) for row in rows]


def _suppression(row: tuple[object, ...]) -> Suppression:
    channel, address, reason, created_at = row
    assert isinstance(created_at, datetime)
    return Suppression(channel=Channel(str(channel)), address=str(address), reason=str(reason), created_at=created_at)
