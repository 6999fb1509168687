"""The frame of every triggered step: commit, publish, acknowledge; written once.

It parses nothing and sends nothing itself. It gives sets to the step's work, publishes what the work says is owed,
and only then answers. What cannot be read is kept with its bytes; what fails ten times unexpectedly is buried.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from shared.coalesce import Coalescer
from shared.errors import CarillonError, Garbage, Transient
from shared.events import Event, EventType, Garbled, encode
from shared.logs import STEP
from shared.runtime import Resources
from shared.step.answers import DONE, LATER, Done, Work
from shared.tenants import OPEN_TENANT

POISON_LIMIT = 10
"""So many unexpected failures of a step on one event end it as a dead letter."""

LARGEST_SET = 200

log = logging.getLogger(__name__)


class Frame:
    """One step at work in this process."""

    def __init__(
        self,
        name: str,
        takes: frozenset[EventType],
        work: Work,
        resources: Resources,
        *,
        by_sets: bool = True,
    ) -> None:
        self.name = name
        self._takes = takes
        self._work = work
        self._resources = resources
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        # A step over sets has one transaction at a time; a step that calls the world does not wait for the slowest.
        flushers = 2 if by_sets else resources.settings.step_concurrency
        self._sets: Coalescer[Event, Done] = Coalescer(self._flush, max_size=LARGEST_SET, flushers=flushers)

    async def take(self, items: Sequence[Event | Garbled]) -> list[int]:
        """Answer a set: 204 for what is durable, 503 for what must come again, in order. Never raises."""
        if self._draining:
            return [LATER] * len(items)
        self._in_hand += 1
        self._idle.clear()
        STEP.set(self.name)
        try:
            return await self._answer(items)
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def drain(self) -> None:
        """Take no more, and wait for what is held."""
        self._draining = True
        await self._idle.wait()
        await self._sets.close()
        await self._work.close()

    async def _answer(self, items: Sequence[Event | Garbled]) -> list[int]:
        places = [place for place, item in enumerate(items) if isinstance(item, Event) and item.type in self._takes]
        answers = [LATER] * len(items)
        results = await self._sets.submit_all([items[place] for place in places])  # type: ignore[misc]
        published = await self._publish([r if isinstance(r, Done) else None for r in results])
        for place, result, failure in zip(places, results, published, strict=True):
            failed = failure or (result if isinstance(result, BaseException) else None)
            answers[place] = await self._judge(items[place], failed) if failed else DONE
        for place in set(range(len(items))) - set(places):
            answers[place] = await self._keep(items[place], _reason(items[place]))
        for answer in set(answers):
            label = "done" if answer == DONE else "later"
            self._resources.metrics.events.labels(self.name, label).inc(answers.count(answer))
        return answers

    async def _flush(self, events: Sequence[Event]) -> Sequence[Done | Exception]:
        STEP.set(self.name)
        self._resources.metrics.set_size.labels(self.name).observe(len(events))
        return await self._work(events)

    async def _publish(self, done: Sequence[Done | None]) -> list[Exception | None]:
        """Publish for a set; return for each event why its messages are not all confirmed."""
        owners = [place for place, item in enumerate(done) for _ in (item.messages if item else ())]
        failures: list[Exception | None] = [None] * len(done)
        if owners:
            outgoing = [message for item in done if item for message in item.messages]
            for place, refusal in zip(owners, await self._resources.broker.publish(outgoing), strict=True):
                if refusal is not None:
                    failures[place] = refusal
                    self._resources.metrics.publish_refused.labels(self.name).inc()
        return failures

    async def _judge(self, item: Event | Garbled, failure: BaseException) -> int:
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

    async def _keep(self, item: Event | Garbled, reason: str) -> int:
        """Keep what no step can use as a dead letter, with its bytes."""
        kind = "garbage" if isinstance(item, Garbled) or item.type not in self._takes else "internal"
        body, tenant = (item.body, OPEN_TENANT) if isinstance(item, Garbled) else (encode(item), item.tenant)
        try:
            await self._resources.store.dead_letters.keep_bytes(kind, self.name, reason, body, tenant)
        except CarillonError:
            return LATER
        self._resources.metrics.dead_letters.labels(kind).inc()
        return DONE


def _reason(item: Event | Garbled) -> str:
    return item.reason if isinstance(item, Garbled) else f"no step here takes {item.type}"
