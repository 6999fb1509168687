"""What a replay would meet now, read in one snapshot in which nothing can be written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contact_policy import LONGEST_PERIOD_SECONDS, ContactPolicy, read_policy
from shared.saga import Delivery, Saga
from shared.statuses import Channel
from shared.store import digests
from shared.store.breakers import Breaker, read_all
from shared.store.claim_sql import ADDRESS
from shared.store.columns import Texts, Uuids
from shared.store.database import Connection, Database
from shared.store.facts import Facts, facts
from shared.store.saga_rows import DELIVERY_COLUMNS, NOTIFICATION_COLUMNS, delivery_of, saga_of
from shared.store.template_versions import Key, KnownVersions, read_versions
from shared.templates import TemplateVersion

_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_LETTERS = "SELECT id, status, notification_id FROM dead_letters WHERE tenant = %b AND id = ANY(%b)"
_SAGAS = f"SELECT {NOTIFICATION_COLUMNS} FROM notifications n WHERE n.tenant = %b AND n.id = ANY(%b)"  # noqa: S608
_DELIVERIES = f"SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.tenant = %b AND d.notification_id = ANY(%b)"  # noqa: S608
_ADDRESSES = f"""
SELECT n.id, {", ".join(ADDRESS.values())}
FROM notifications n JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
WHERE n.tenant = %b AND n.id = ANY(%b)
"""  # noqa: S608 - names of columns, all ours
_POLICY = "SELECT definition::text FROM contact_policies WHERE tenant = %b"
_PLACES = """
SELECT k.user_id, k.channel, k.category, EXTRACT(EPOCH FROM clock_timestamp() - k.taken_at)::float8
FROM unnest(%b::text[]) AS p(user_id) JOIN contact_places k ON k.tenant = %b AND k.user_id = p.user_id
WHERE k.is_granted AND k.taken_at > clock_timestamp() - %b * interval '1 second'
"""
_TRIED = """
SELECT DISTINCT ON (a.notification_id, a.channel) a.notification_id, a.channel, a.provider
FROM unnest(%b::uuid[]) AS w(id) JOIN attempts a ON a.notification_id = w.id
WHERE a.tenant = %b AND a.provider <> '' ORDER BY a.notification_id, a.channel, a.started_at DESC
"""
_WINDOWS = """
SELECT d.key, d.next_look_at FROM unnest(%b::uuid[]) AS w(key)
JOIN digests d ON d.key = w.key AND d.phase = 'collecting'
"""

Taken = Mapping[tuple[str, Channel], Sequence[tuple[str, float]]]
"""By user and channel: the categories of what they were sent, each with its age in seconds."""


class Snapshot:
    """One moment, of one tenant."""

    def __init__(self, connection: Connection, tenant: str, known: KnownVersions, now: datetime) -> None:
        self._connection = connection
        self._tenant = tenant
        self._known = known
        self.now = now

    async def letters(self, keys: Sequence[UUID]) -> dict[UUID, tuple[str, UUID | None]]:
        """Read of dead letters their status, and whose they are."""
        rows = await self._rows(_LETTERS, (self._tenant, Uuids(keys)))
        return {row[0]: (row[1], row[2]) for row in rows}

    async def sagas(self, ids: Sequence[UUID]) -> dict[UUID, Saga]:
        """Read sagas with their deliveries."""
        deliveries: dict[UUID, list[Delivery]] = {}
        for row in await self._rows(_DELIVERIES, (self._tenant, Uuids(ids))):
            deliveries.setdefault(row[0], []).append(delivery_of(row))
        rows = await self._rows(_SAGAS, (self._tenant, Uuids(ids)))
        return {row[0]: saga_of(row, tuple(deliveries.get(row[0], ()))) for row in rows}

    async def facts(self, ids: Sequence[UUID]) -> dict[UUID, Facts]:
        """Read what routing and rendering ask about notifications."""
        return await facts(self._connection, ids, self.now)

    async def addresses(self, ids: Sequence[UUID]) -> dict[UUID, dict[Channel, str]]:
        """Read where notifications would go, by channel."""
        rows = await self._rows(_ADDRESSES, (self._tenant, Uuids(ids)))
        return {row[0]: {channel: text for channel, text in zip(ADDRESS, row[1:], strict=True) if text} for row in rows}

    async def policy(self) -> ContactPolicy:
        """Read what holds for all people of the tenant."""
        rows = await self._rows(_POLICY, (self._tenant,))
        return read_policy(rows[0][0] if rows else None)

    async def places(self, user_ids: Collection[str]) -> Taken:
        """Read which places under caps people have taken."""
        taken: dict[tuple[str, Channel], list[tuple[str, float]]] = {}
        values = (Texts(sorted(user_ids)), self._tenant, LONGEST_PERIOD_SECONDS)
        for user_id, channel, category, age in await self._rows(_PLACES, values):
            taken.setdefault((user_id, Channel(channel)), []).append((category, age))
        return taken

    async def superseded(self, ids: Sequence[UUID]) -> set[UUID]:
        """Find those whose place a newer notification has taken."""
        return await digests.superseded(self._connection, ids)

    async def tried(self, ids: Sequence[UUID]) -> dict[tuple[UUID, Channel], str]:
        """Read which provider was asked last, for each channel."""
        return {(row[0], Channel(row[1])): row[2] for row in await self._rows(_TRIED, (Uuids(ids), self._tenant))}

    async def windows(self, keys: Collection[UUID]) -> dict[UUID, datetime]:
        """Read when the open windows of digests close."""
        return {row[0]: row[1] for row in await self._rows(_WINDOWS, (Uuids(sorted(keys)),))} if keys else {}

    async def breakers(self) -> dict[str, Breaker]:
        """Read how the tenant's providers are."""
        return await read_all(self._connection, self._tenant)

    async def templates(self, keys: Collection[Key]) -> Mapping[Key, TemplateVersion]:
        """Read versions of templates."""
        return await read_versions(self._connection, self._known, keys) if keys else {}

    async def _rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return await (await self._connection.execute(statement, values)).fetchall()


class Snapshots:
    """The room of whoever wants to know what would happen, without its happening."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known = KnownVersions()

    @asynccontextmanager
    async def look(self, tenant: str) -> AsyncIterator[Snapshot]:
        """Open a snapshot. The database refuses whatever would write in it."""
        async with self._database.transaction() as connection:
            await connection.execute(_READ_ONLY)
            (row,) = await (await connection.execute("SELECT clock_timestamp()")).fetchall()
            yield Snapshot(connection, tenant, self._known, row[0])
