"""One look after the other over what is due, a bounded set each, until a set is not full."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from functions.sweep.digesting import look_at_digests
from functions.sweep.publishing import SOURCE, publish
from functions.sweep.returning import bring_back
from shared.broker import Message
from shared.errors import Transient
from shared.events import Event, EventType
from shared.folding import settle
from shared.outbox import About, fan_out, messages, write
from shared.runtime import Resources
from shared.saga import Looked, decide, due_now, owed
from shared.step import Done
from shared.telling import tell

LARGEST_SET = 1_000
MOST_FAN_OUTS = 100
MOST_SETS = 20
"""A tick takes seconds at most; what is left waits for the next one."""


log = logging.getLogger(__name__)


async def sweep_set(resources: Resources, events: Sequence[Event]) -> list[Done | Exception]:
    """Have what came back looked at soon, and sweep once for all the ticks of a set."""
    returned = [event for event in events if event.type is not EventType.TICK]
    await bring_back(resources, returned)
    if len(returned) < len(events):
        await _sweep(resources)
    return [Done() for _ in events]


async def _sweep(resources: Resources) -> None:
    late = await resources.store.sagas.late_successes(LARGEST_SET)
    await publish(resources, [write(SOURCE, success, success.result) for success in late])
    stalled = await resources.store.fan_outs.due(MOST_FAN_OUTS)
    await publish(
        resources,
        [fan_out(SOURCE, About(one.id, one.tenant, traceparent=one.traceparent), one.position) for one in stalled],
    )
    for _ in range(MOST_SETS):
        outgoing, size = await _look_safely(resources)
        refused = await publish(resources, outgoing)
        if size < LARGEST_SET or refused:  # what was refused is owed still: the next look comes by itself
            break
    await _erase(resources)
    await look_at_digests(resources)
    ceiling = resources.settings.intake_backlog_max + 1
    await resources.store.gauges.recount(ceiling)


async def _erase(resources: Resources) -> None:
    """Go on with forgetting people, a bounded part of it each time; one who cannot be forgotten now holds up nobody."""
    for key in await resources.store.erasures.due():
        try:
            for changes, now in await resources.store.erasures.work(key):
                tell(resources.metrics, changes, now)
        except Transient:
            raise
        except Exception as failure:
            log.error("a person cannot be erased", exc_info=failure, extra={"erasure_id": str(key)})
            await resources.store.erasures.put_off(key)


async def _look_safely(resources: Resources) -> tuple[list[Message], int]:
    """Look at a set; if it fails unexpectedly, at one saga after the other, and put off the one that fails."""
    try:
        return await _look(resources)
    except Transient:
        raise
    except Exception as failure:
        log.error("a set cannot be looked at; one by one", exc_info=failure)
    outgoing: list[Message] = []
    due = await resources.store.sagas.due(LARGEST_SET)
    for key in due:
        try:
            found, _ = await _look(resources, key)
            outgoing += found
        except Transient:
            raise
        except Exception as failure:  # without this, the oldest row stops the sweep for everybody
            log.error("a saga cannot be looked at", exc_info=failure, extra={"notification_id": str(key)})
            await resources.store.sagas.put_off(key)
    return outgoing, len(due)


async def _look(resources: Resources, only: UUID | None = None) -> tuple[list[Message], int]:
    """Decide for one set, or one saga, and say when to look again, in one transaction."""
    async with resources.store.sagas.transaction() as sagas:
        changes = list((await (sagas.lock([only]) if only else sagas.lock_due(LARGEST_SET))).values())
        receipts = await sagas.receipts([change.before.id for change in changes if change.before.deliveries])
        for change in changes:  # an acknowledgement whose event was lost counts before its deadline does
            for occurrence in (*receipts.get(change.before.id, ()), Looked()):
                change.take(decide(change.after, occurrence, sagas.now))
        await settle(sagas, changes, {}, looked=True)
    tell(resources.metrics, changes, sagas.now)
    outgoing = []
    for change in changes:
        outgoing += messages(SOURCE, change.after, due_now(owed(change.after, sagas.now), sagas.now), sagas.now)
    return outgoing, len(changes)
