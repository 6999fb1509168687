"""Wishes and quiet hours in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from shared.contact_policy import ContactPolicy
from shared.statuses import Channel
from shared.store.contacts import Contacts, Preferences
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.facts import policy_of


class MemoryContacts(Contacts):
    """The room of wishes and quiet hours."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def preferences(self, tenant: str, user_id: str) -> Preferences | None:
        """Read what a person has said; None when nobody knows them."""
        return await self._memory.run(partial(_preferences, (tenant, user_id)))

    async def put_preferences(self, tenant: str, user_id: str, said: Preferences) -> bool:
        """Replace what a person has said, as a whole; return whether anybody knows them."""
        return await self._memory.run(partial(_put_preferences, (tenant, user_id), said))

    async def policy(self, tenant: str) -> ContactPolicy:
        """Read what holds for all people of a tenant."""
        return await self._memory.run(lambda tx: policy_of(tx, tenant))

    async def put_policy(self, tenant: str, policy: ContactPolicy) -> None:
        """Replace what holds for all people of a tenant."""
        text = policy.model_dump_json(by_alias=True)
        await self._memory.run(lambda tx: tx.put(tx.memory.contact_policies, tenant, text))


def _preferences(key: tuple[str, str], tx: Transaction) -> Preferences | None:
    user = tx.get(tx.memory.users, key)
    if user is None:
        return None
    wishes: dict[str, dict[Channel, bool]] = {}
    for (tenant, user_id, category, channel), enabled in sorted(tx.all(tx.memory.preferences).items()):
        if (tenant, user_id) == key and enabled is not None:
            wishes.setdefault(category, {})[channel] = enabled
    hours = tx.get(tx.memory.quiet_hours, key)
    return Preferences(wishes=wishes, quiet_hours=hours, time_zone=user.time_zone)


def _put_preferences(key: tuple[str, str], said: Preferences, tx: Transaction) -> bool:
    user = tx.lock(tx.memory.users, key)
    if user is None:
        return False
    tx.put(tx.memory.users, key, replace(user, time_zone=said.time_zone or user.time_zone))
    tx.put(tx.memory.quiet_hours, key, json.loads(json.dumps(said.quiet_hours)))
    for known in tx.all(tx.memory.preferences):
        if known[:2] == key:
            tx.put(tx.memory.preferences, known, None)
    for category, channels in said.wishes.items():
        for channel, enabled in channels.items():
            tx.put(tx.memory.preferences, (*key, category, channel), enabled)
    return True
