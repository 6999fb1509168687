"""An inbox in memory that can be away, late, or forget to say that it has kept something; it counts what is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from shared.errors import DatabaseUnavailable
from shared.store.inbox import Item, NewItem
from tests.simulation.store import Memory, MemoryStore
from tests.simulation.store.inbox import MemoryInbox


class Mood(StrEnum):
    """What comes of a statement."""

    WELL = "well"
    AWAY = "away"  # it is not carried out
    LOST = "lost"  # it is carried out, and nobody hears of it
    HANGS = "hangs"  # it never returns
    POISONED = "poisoned"  # a set with a certain message in it cannot be kept


POISON = "poison"


class MoodyInbox(MemoryInbox):
    """The room of push_ws and realtime, with moods; the last one stays."""

    def __init__(self, memory: Memory, *moods: Mood) -> None:
        super().__init__(memory)
        self.moods = list(moods) or [Mood.WELL]
        self.asked: Counter[str] = Counter()

    async def put(self, items: Sequence[NewItem]) -> None:
        """Put messages, or not."""
        mood = await self._begin("put")
        if mood is Mood.POISONED and any(item.content["message"] == POISON for item in items):
            raise ValueError("it cannot be written")
        await super().put(items)
        self._end(mood)

    async def since(self, tenant: str, user_id: str, cursor: int, limit: int = 100) -> list[Item]:
        """Read, or not."""
        await self._begin("since")
        return await super().since(tenant, user_id, cursor, limit)

    async def last(self, tenant: str, user_id: str) -> int:
        """Read, or not."""
        await self._begin("last")
        return await super().last(tenant, user_id)

    async def acknowledge(self, tenant: str, user_id: str, ids: Sequence[UUID]) -> list[tuple[UUID, int]]:
        """Note, or not."""
        mood = await self._begin("acknowledge")
        noted = await super().acknowledge(tenant, user_id, ids)
        self._end(mood)
        return noted

    async def _begin(self, what: str) -> Mood:
        self.asked[what] += 1
        mood = self.moods.pop(0) if len(self.moods) > 1 else self.moods[0]
        if mood is Mood.AWAY:
            raise DatabaseUnavailable("told to be away")
        if mood is Mood.HANGS:
            await asyncio.Event().wait()
        return mood

    def _end(self, mood: Mood) -> None:
        if mood is Mood.LOST:
            raise DatabaseUnavailable("told to lose the answer")


def moody_store(*moods: Mood) -> tuple[MemoryStore, MoodyInbox]:
    """Make a store in memory whose inbox has moods."""
    store = MemoryStore(Memory(now=lambda: datetime.now(UTC)))
    inbox = MoodyInbox(store.memory, *moods)
    store.inbox = inbox
    return store, inbox
