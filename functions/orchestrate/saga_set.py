"""The sagas of a set of events, folded together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from functions.orchestrate.expanding import expand
from shared.events import Event, EventType
from shared.folding import begin, joining, owed_after, settle
from shared.outbox import messages
from shared.runtime import Resources
from shared.saga import AttemptRecorded, Collected, Looked, Occurrence, ReceiptRecorded, Saga, decide
from shared.statuses import NotificationStatus
from shared.step import Done
from shared.store.changes import Change
from shared.store.digests import Window
from shared.store.facts import Facts
from shared.store.sagas import SagaSet
from shared.store.unlocked import ChangedMeanwhile
from shared.telling import tell

SOURCE = "orchestrate"
RESULTS = frozenset({EventType.DELIVERY_SUCCEEDED, EventType.DELIVERY_FAILED})
LOOKS = frozenset({EventType.RECEIPT_RECORDED, EventType.NOTIFICATION_DUE})


@dataclass(frozen=True, slots=True)
class Known:
    """What a set of events points at, read in its transaction."""

    facts: dict[UUID, Facts]
    attempts: Mapping[tuple[UUID, UUID], AttemptRecorded]
    receipts: Mapping[UUID, list[ReceiptRecorded]]
    windows: Mapping[UUID, Window]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What became of a set: its sagas, and for each event the one that it was about."""

    sagas: SagaSet
    changes: Sequence[Change]
    found: Sequence[Change | None]


async def orchestrate_set(resources: Resources, events: Sequence[Event]) -> list[Done | Exception]:
    """Expand events for many users, each alone, and fold the rest of a set together."""
    answers: list[Done | Exception] = [_NOTHING] * len(events)
    rest = []
    for place, event in enumerate(events):
        if event.type is EventType.FAN_OUT_REQUESTED:
            answers[place] = await expand(resources, event)
        else:
            rest.append(place)
    if len(rest) == len(events):
        return await _fold_sagas(resources, events)
    for place, answer in zip(rest, await _fold_sagas(resources, [events[place] for place in rest]), strict=True):
        answers[place] = answer
    return answers


async def _fold_sagas(resources: Resources, events: Sequence[Event]) -> list[Done | Exception]:
    """Fold a set: decide in the order of arrival, write once per saga, say what is owed.

    It is read and written without locks; where somebody else is at work on one of its sagas, or something unusual has
    happened, it is folded again, under locks in id order.
    """
    if not events:
        return []
    folded = await _fold_unlocked(resources, events) if _is_usual(events) else None
    if folded is None:
        async with resources.store.sagas.transaction() as sagas:
            folded = await _fold_set(resources, sagas, events)
    tell(resources.metrics, folded.changes, folded.sagas.now)
    return _owed(folded)


def _is_usual(events: Sequence[Event]) -> bool:
    """Tell whether every saga of a set occurs once in it, to be routed or with an outcome."""
    ids = {event.data.notification_id for event in events}
    return len(ids) == len(events) and all(_names_what_it_is_about(event) for event in events)


def _names_what_it_is_about(event: Event) -> bool:
    if event.data.notification_id is None:
        return False
    return event.type is EventType.NOTIFICATION_ACCEPTED or (event.type in RESULTS and event.data.token is not None)


async def _fold_unlocked(resources: Resources, events: Sequence[Event]) -> Folded | None:
    try:
        async with resources.store.unlocked.sagas() as sagas:
            return await _fold_set(resources, sagas, events)
    except ChangedMeanwhile:
        resources.metrics.folded_again.inc()
        return None


async def _fold_set(resources: Resources, sagas: SagaSet, events: Sequence[Event]) -> Folded:
    ids = [event.data.notification_id for event in events if event.data.notification_id]
    changes = await sagas.load(ids, _answered(events))
    found = [changes.get(event.data.notification_id) if event.data.notification_id else None for event in events]
    known = await _read(sagas, changes, events)
    for event, change in zip(events, found, strict=True):
        if change is not None:
            _fold(resources, sagas, change, event, known)
    await settle(sagas, list(changes.values()), known.facts)
    return Folded(sagas=sagas, changes=list(changes.values()), found=found)


def _answered(events: Sequence[Event]) -> list[tuple[UUID, UUID]]:
    return [
        (event.data.notification_id, event.data.token)
        for event in events
        if event.type in RESULTS and event.data.notification_id and event.data.token
    ]


async def _read(sagas: SagaSet, changes: Mapping[UUID, Change], events: Sequence[Event]) -> Known:
    pending = [key for key, change in changes.items() if change.before.status is NotificationStatus.PENDING]
    looked_at = [event.data.notification_id for event in events if event.type in LOOKS]
    facts = await sagas.facts(pending)
    wanted = [one for key, found in facts.items() if (one := joining(changes[key].before, found, sagas.now))]
    return Known(
        facts=facts,
        attempts=await sagas.attempts(_answered(events)),
        receipts=await sagas.receipts([key for key in looked_at if key]),
        windows=await sagas.join(wanted) if wanted else {},
    )


def _fold(resources: Resources, sagas: SagaSet, change: Change, event: Event, known: Known) -> None:
    has_changed = False
    for occurrence in _occurrences(resources, change, event, known):
        has_changed |= change.take(decide(change.after, occurrence, sagas.now))
    change.has_copy |= not has_changed


def _occurrences(resources: Resources, change: Change, event: Event, known: Known) -> list[Occurrence]:
    """Find what an event means: always a row of ours, never what the message says about it."""
    key = change.before.id
    if event.type is EventType.NOTIFICATION_ACCEPTED:
        return _routing(resources, change.before, known)
    if event.type in RESULTS:
        attempt = known.attempts.get((key, event.data.token)) if event.data.token else None
        if attempt is None:
            resources.metrics.unfounded.inc()
        return [attempt] if attempt else []
    return [*known.receipts.get(key, ()), Looked()]  # an acknowledgement counts before a deadline does


def _routing(resources: Resources, saga: Saga, known: Known) -> list[Occurrence]:
    facts, window = known.facts.get(saga.id), known.windows.get(saga.id)
    if facts is None:
        return []
    if window is not None:
        kept_until, own = window.kept_until, facts.has_own_expiry
        return [Collected(digest_id=window.digest_id, kept_until=kept_until, has_own_expiry=own)]
    return [begin(saga, facts, resources.settings.served())]


def _owed(folded: Folded) -> list[Done | Exception]:
    """Give each saga's messages to the last of its events: they are published before any of them is answered."""
    found, now = folded.found, folded.sagas.now
    answers: list[Done | Exception] = [_NOTHING] * len(found)
    last = {id(change): place for place, change in enumerate(found)}
    for place, change in enumerate(found):
        if change is not None and last[id(change)] == place:
            answers[place] = Done(messages(SOURCE, change.after, owed_after(change, folded.sagas), now))
    return answers


_NOTHING = Done()
