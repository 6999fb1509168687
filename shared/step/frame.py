"""The frame of every triggered step: commit, publish, acknowledge; written once.

It parses nothing and sends nothing itself. It gives events to the step's work, publishes what the work says is owed,
and only then answers. What cannot be read is kept with its bytes; what fails ten times unexpectedly is buried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.errors import CarillonError, Garbage, Transient
from shared.events import Event, EventType, Garbled, encode
from shared.logs import STEP
from shared.runtime import Resources
from shared.step.answers import DONE, LATER, Done, Ended, Told, Work
from shared.step.handed import Handed, Item, Parcel
from shared.tenants import OPEN_TENANT

POISON_LIMIT = 10
"""So many unexpected failures of a step on one event end it as a dead letter."""

log = logging.getLogger(__name__)


class Frame:
    """One step at work in this process."""

    def __init__(self, name: str, takes: frozenset[EventType], work: Work, resources: Resources) -> None:
        self.name = name
        self._takes = takes
        self._work = work
        self._resources = resources
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        events = resources.metrics.events
        self._refused = resources.metrics.publish_refused.labels(name)
        self._counts = {DONE: events.labels(name, "done"), LATER: events.labels(name, "later")}

    async def take(self, parcels: Sequence[Parcel], told: Told | None = None) -> list[int]:
        """Answer a set: 204 for what is durable, 503 for what must come again, in order. Never raises.

        `told` hears each answer as soon as it is given.
        """
        handed = Handed(parcels, told)
        if not self._draining:
            self._in_hand += 1
            self._idle.clear()
            STEP.set(self.name)
            try:
                await self._work_on(handed)
            finally:
                self._in_hand -= 1
                if not self._in_hand:
                    self._idle.set()
        return handed.end()

    async def drain(self) -> None:
        """Take no more, and wait for what is held."""
        self._draining = True
        await self._idle.wait()
        await self._work.close()

    async def _work_on(self, handed: Handed) -> None:
        events: list[Event] = []
        places: list[int] = []
        for place, item in enumerate(handed.items):
            if isinstance(item, Event) and item.type in self._takes:
                events.append(item)
                places.append(place)
            else:
                handed.answer([(place, await self._keep(item, _reason(item)))])

        async def conclude(ended: Sequence[Ended]) -> None:
            await self._conclude(handed, [(places[place], result) for place, result in ended])

        try:
            if events:
                await self._work(events, conclude)
        except Exception as failure:  # a bug of the work itself: everything comes again
            log.error("a step failed on a whole set", exc_info=failure, extra={"function": self.name})
        answers = list(handed.answers.values())
        for answer, count in self._counts.items():
            if given := answers.count(answer):
                count.inc(given)

    async def _conclude(self, handed: Handed, ended: Sequence[Ended]) -> None:
        """Publish what is owed for events that have ended, and answer those whose messages are all confirmed."""
        failures = {place: result for place, result in ended if isinstance(result, BaseException)}
        owners = [place for place, result in ended if isinstance(result, Done) for _ in result.messages]
        if owners:
            outgoing = [message for _, result in ended if isinstance(result, Done) for message in result.messages]
            for place, refusal in zip(owners, await self._resources.publish(outgoing), strict=True):
                if refusal is not None:
                    failures[place] = refusal
                    self._refused.inc()
        answers = [(place, DONE) for place, _ in ended if place not in failures]
        answers += [(place, await self._judge(handed.items[place], failure)) for place, failure in failures.items()]
        handed.answer(answers)

    async def _judge(self, item: Item, failure: BaseException) -> int:
        """Say what a failure means for one event."""
        if isinstance(failure, Transient | asyncio.CancelledError):
            return LATER
        if isinstance(failure, Garbage):
            return await self._keep(item, str(failure))
        assert isinstance(item, Event)
        log.error("a step failed unexpectedly", exc_info=failure, extra={"event_id": item.id, "function": self.name})
        try:
            count = await self._resources.store.dead_letters.count_failure(self.name, item.id)
        except CarillonError:
            return LATER
        if count < POISON_LIMIT:
            return LATER
        return await self._keep(item, f"{type(failure).__name__}, {POISON_LIMIT} times")  # if it comes again: kept once

    async def _keep(self, item: Item, reason: str) -> int:
        """Keep what no step can use as a dead letter, with its bytes."""
        kind = "garbage" if isinstance(item, Garbled) or item.type not in self._takes else "internal"
        body, tenant = (item.body, OPEN_TENANT) if isinstance(item, Garbled) else (encode(item), item.tenant)
        try:
            kept = await self._resources.store.dead_letters.keep_bytes(kind, self.name, reason, body, tenant)
        except CarillonError:
            return LATER
        self._resources.metrics.dead_letters.labels(kind).inc(kept.is_new)
        return DONE


def _reason(item: Item) -> str:
    return item.reason if isinstance(item, Garbled) else f"no step here takes {item.type}"
