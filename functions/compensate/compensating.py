"""The work of compensating: what needs no call is one transaction over a set; else a call between two of them.

No connection to the database is held while a provider is called. A call that is made twice deletes what is gone
already, so it needs no claim: its tries are counted, and what was said is noted before the saga ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from functions.compensate.providers import Undoers
from functions.compensate.undoing import (
    UNDOING,
    Means,
    Outcomes,
    corrections,
    judged,
    known,
    pause_seconds,
    to_ask,
    what_was_undone,
)
from shared.broker.topology import delay_for
from shared.coalesce import Coalescer
from shared.events import Event
from shared.logs import STEP
from shared.outbox import About, failed, messages, write
from shared.outcomes import Outcome
from shared.runtime import Resources
from shared.saga import CompensationOwed, EventOwed, Saga, decide, owed
from shared.statuses import REACHED, NotificationStatus
from shared.step import Done
from shared.step.answers import Conclude
from shared.step.sets import LARGEST_SET, SETS_AT_ONCE
from shared.store.changes import Change
from shared.store.sagas import SagaSet
from shared.store.undoing import Undoing
from shared.telling import tell

SOURCE = "compensate"
CALLS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Calls:
    """What providers must be asked before a saga can end, and what is known of it without asking."""

    event: Event
    asked: Sequence[Undoing]
    known: Outcomes


@dataclass(frozen=True, slots=True)
class Called:
    """What came of asking."""

    calls: Calls
    outcomes: Outcomes


class Compensating:
    """The work of one process."""

    def __init__(self, resources: Resources, undoers: Undoers) -> None:
        self._resources = resources
        self._undoers = undoers
        self._places = asyncio.Semaphore(CALLS_AT_ONCE)
        self._begins: Coalescer[Event, Done | Calls] = Coalescer(
            self._begin, max_size=LARGEST_SET, flushers=SETS_AT_ONCE
        )
        self._ends: Coalescer[Called, Done] = Coalescer(self._end, max_size=LARGEST_SET)
        self._size = resources.metrics.set_size.labels(SOURCE)

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        """Compensate; one that waits for a provider holds up no other."""
        found = list(enumerate(await self._begins.submit_all(events)))
        await conclude([(place, result) for place, result in found if not isinstance(result, Calls)])
        calls = [(place, result) for place, result in found if isinstance(result, Calls)]
        await asyncio.gather(*[self._call(place, asked, conclude) for place, asked in calls])

    async def close(self) -> None:
        """Finish what was taken."""
        await self._begins.close()
        await self._ends.close()
        await self._undoers.close()

    async def _call(self, place: int, calls: Calls, conclude: Conclude) -> None:
        said = await asyncio.gather(*[self._ask(asked) for asked in calls.asked])
        outcomes = {asked.channel: judged(asked, outcome) for asked, outcome in zip(calls.asked, said, strict=True)}
        (result,) = await self._ends.submit_all([Called(calls, outcomes)])
        await conclude([(place, result)])

    async def _ask(self, asked: Undoing) -> Outcome:
        async with self._places:
            outcome = await self._undoers.undo(asked.channel, asked.message_ids)
        self._resources.metrics.undone.labels(asked.channel.value, outcome.kind.value).inc()
        return outcome

    async def _begin(self, events: Sequence[Event]) -> Sequence[Done | Calls | Exception]:
        """End what needs no call, and count a try for the rest, in one transaction."""
        STEP.set(SOURCE)
        self._size.observe(len(events))
        async with self._resources.store.sagas.transaction() as sagas:
            changes = await sagas.lock([key for event in events if (key := _key(event))])
            open_ones = _open(changes.values())
            asked, sure = await self._what_to_ask(sagas, open_ones)
            calling = {key for key, those in asked.items() if len(sure[key]) < len(those)}
            ended = [change for change in open_ones if change.before.id not in calling]
            await _fold(sagas, ended, sure)
        self._tell(ended, sagas.now)
        first = {key: place for place, event in reversed(list(enumerate(events))) if (key := _key(event)) in calling}
        answers: list[Done | Calls | Exception] = []
        for place, event in enumerate(events):
            key = _key(event)
            if key not in calling:
                answers.append(_answer(changes.get(key) if key else None, sagas))
            elif place == first[key]:
                answers.append(Calls(event, [one for one in asked[key] if one.channel not in sure[key]], sure[key]))
            else:  # a copy: the first is not acknowledged before it has asked
                answers.append(Done())
        return answers

    async def _what_to_ask(
        self, sagas: SagaSet, open_ones: Sequence[Change]
    ) -> tuple[dict[UUID, list[Undoing]], dict[UUID, Outcomes]]:
        """Count a try of what must be asked; return it by saga, and what comes of it without a call."""
        wanted = [(c.before, channel) for c in open_ones for channel in to_ask(c.before, self._undoers.channels)]
        asked: dict[UUID, list[Undoing]] = {}
        for one in await sagas.begin_undoing(wanted):
            asked.setdefault(one.notification_id, []).append(one)
        sure: dict[UUID, Outcomes] = {
            key: {one.channel: outcome for one in those if (outcome := known(one))} for key, those in asked.items()
        }
        return asked, sure

    async def _end(self, called: Sequence[Called]) -> Sequence[Done | Exception]:
        """Note what was said, and end what need not be asked again, in one transaction."""
        STEP.set(SOURCE)
        said = {key: one for one in called if (key := _key(one.calls.event))}
        async with self._resources.store.sagas.transaction() as sagas:
            changes = await sagas.lock(said)
            open_ones = _open(changes.values())
            await sagas.note_undoing(
                [(c.before, channel, o) for c in open_ones for channel, o in said[c.before.id].outcomes.items()]
            )
            outcomes = {key: {**one.calls.known, **one.outcomes} for key, one in said.items()}
            pauses = {c.before.id: self._pause(c.before, said[c.before.id]) for c in open_ones}
            ended = [change for change in open_ones if pauses[change.before.id] is None]
            await _fold(sagas, ended, outcomes)
        self._tell(ended, sagas.now)
        return [
            _later(changes[key].after, pause)
            if (key := _key(one.calls.event)) and (pause := pauses.get(key)) is not None
            else _answer(changes.get(key) if key else None, sagas)
            for one in called
        ]

    def _pause(self, saga: Saga, called: Called) -> float | None:
        pauses = [pause_seconds(asked, called.outcomes[asked.channel]) for asked in called.calls.asked]
        asked = called.outcomes.keys() | called.calls.known.keys()
        if not asked >= set(to_ask(saga, self._undoers.channels)):  # sent on another channel while we asked
            pauses.append(0)
        return max((pause for pause in pauses if pause is not None), default=None)

    def _tell(self, ended: Sequence[Change], now: datetime) -> None:
        failures = [change for change in ended if change.after.status is NotificationStatus.FAILED]
        self._resources.metrics.dead_letters.labels("notification").inc(len(failures))
        tell(self._resources.metrics, ended, now)


async def _fold(sagas: SagaSet, ended: Sequence[Change], outcomes: Mapping[UUID, Outcomes]) -> None:
    retracted = await sagas.retract([change.before.id for change in ended if _is_in_inbox(change.before)])
    for change in ended:
        undone = what_was_undone(change.before, retracted, outcomes.get(change.before.id))
        change.take(decide(change.before, undone, sagas.now))
    await sagas.save(ended)
    await sagas.correct([correction for change in ended for correction in corrections(change.after)])
    failures = [change.after for change in ended if change.after.status is NotificationStatus.FAILED]
    await sagas.bury("notification", SOURCE, failures)


def _open(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.before.status is NotificationStatus.COMPENSATING]


def _key(event: Event) -> UUID | None:
    return event.data.notification_id


def _is_in_inbox(saga: Saga) -> bool:
    return any(d.status in REACHED and UNDOING[d.channel].means is Means.INBOX for d in saga.deliveries)


def _later(saga: Saga, pause_seconds: float) -> Done:
    """Ask for the compensation again; beyond the longest delay the sweep does."""
    delay = delay_for(pause_seconds)
    return Done([write(SOURCE, saga, CompensationOwed(), delay, pause_seconds)] if delay is not None else [])


def _answer(change: Change | None, sagas: SagaSet) -> Done:
    if change is None:
        return Done()
    saga = change.after
    follow = [
        write(SOURCE, About(one.id, saga.tenant, traceparent=saga.traceparent), EventOwed())
        for one in corrections(saga)
    ]
    if saga.status is NotificationStatus.FAILED:
        return Done([failed(SOURCE, saga), *follow])  # again on redelivery, under the same ids
    return Done([*messages(SOURCE, saga, owed(saga, sagas.now), sagas.now), *follow])
