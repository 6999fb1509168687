"""People, their wishes and the workflows in memory; and the figures that processes share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from shared.statuses import Channel, NotificationStatus
from shared.store.directory import Directory, User
from shared.store.gauges import Gauges
from tests.simulation.store.engine import Memory, Transaction


class MemoryDirectory(Directory):
    """The room of users, preferences and workflows."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def put_users(self, tenant: str, users: Sequence[User]) -> None:
        """Insert or replace a set of users."""
        await self._memory.run(partial(_put_users, tenant, sorted(users, key=lambda user: user.id)))

    async def put_workflow(self, tenant: str, event_type: str, definition: Mapping[str, Any]) -> None:
        """Insert or replace the workflow of an event type; `*` is the tenant's default."""
        kept = json.loads(json.dumps(dict(definition)))
        await self._memory.run(lambda tx: tx.put(tx.memory.workflows, (tenant, event_type), kept))

    async def put_workflows(self, tenant: str, definitions: Mapping[str, Mapping[str, Any]]) -> int:
        """Insert or replace workflows by their event types; return how many are new or changed."""
        rows = self._memory.workflows.rows
        changed = {key: said for key, said in definitions.items() if rows.get((tenant, key)) != dict(said)}
        for event_type, definition in sorted(changed.items()):
            await self.put_workflow(tenant, event_type, definition)
        return len(changed)

    async def put_preference(
        self, tenant: str, user_id: str, category: str, channel: Channel, *, enabled: bool
    ) -> None:
        """Say whether a user wants a category on a channel; `*` is every category."""
        key = (tenant, user_id, category, channel)
        await self._memory.run(lambda tx: tx.put(tx.memory.preferences, key, enabled))

    async def user(self, tenant: str, key: str) -> User | None:
        """Read one user."""
        return self._memory.users.rows.get((tenant, key))

    async def workflow(self, tenant: str, event_type: str) -> dict[str, Any]:
        """Read the definition that an event type follows: its own, else the tenant's default, else nothing."""
        rows = self._memory.workflows.rows
        return rows.get((tenant, event_type)) or rows.get((tenant, "*")) or {}

    async def has_users(self, tenant: str) -> bool:
        """Tell whether a tenant has any user."""
        return any(owner == tenant for owner, _ in self._memory.users.rows)


class MemoryGauges(Gauges):
    """The room of figures."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def count_backlog(self, ceiling: int) -> int:
        """Count what is under way, up to a ceiling, and keep the figure."""
        return await self._memory.run(partial(_count_backlog, ceiling))

    async def recount(self, ceiling: int) -> None:
        """Count it."""
        await self.count_backlog(ceiling)

    async def backlog(self) -> int:
        """Read how many were under way when the sweep last counted."""
        return self._memory.gauges.rows.get("backlog", 0)


def _put_users(tenant: str, users: Sequence[User], tx: Transaction) -> None:
    for user in users:
        tx.put(tx.memory.users, (tenant, user.id), user)
        tx.put(tx.memory.user_changes, (tenant, user.id), tx.memory.now())


def _count_backlog(ceiling: int, tx: Transaction) -> int:
    sagas = [row.saga for row in tx.all(tx.memory.notifications).values()]
    waiting = [s for s in sagas if s.next_look_at is not None and s.status is not NotificationStatus.SCHEDULED]
    events = [row for row in tx.all(tx.memory.fan_outs).values() if row.next_look_at is not None]
    count = min(len(waiting), ceiling) + sum(len(row.new.user_ids) - row.expanded for row in events)
    tx.put(tx.memory.gauges, "backlog", count)
    return count
