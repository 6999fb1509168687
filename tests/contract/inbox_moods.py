"""An inbox in memory that can be away, late, or forget to say that it has kept something; it counts what is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from shared.errors import DatabaseUnavailable
from shared.saga import Receipt
from shared.store.inbox import Mark, NewItem, News, Place, Seen
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

    async def news(self, places: Sequence[Place]) -> list[News]:
        """Read, or not."""
        await self._begin("news")
        return await super().news(places)

    async def behind(self, places: Sequence[Place]) -> list[tuple[str, str]]:
        """Read, or not."""
        await self._begin("behind")
        return await super().behind(places)

    async def note(self, seen: Sequence[Seen], receipt: Receipt) -> list[tuple[UUID, int]]:
        """Note, or not."""
        mood = await self._begin("note")
        noted = await super().note(seen, receipt)
        self._end(mood)
        return noted

    async def mark(self, tenant: str, user_id: str, mark: Mark, ids: Sequence[UUID]) -> set[UUID]:
        """Mark, or not."""
        mood = await self._begin("mark")
        marked = await super().mark(tenant, user_id, mark, ids)
        self._end(mood)
        return marked

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
