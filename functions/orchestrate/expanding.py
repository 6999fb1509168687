"""Expand one event for many users: a bounded set of them at a time, each set one transaction of its own."""

from __future__ import annotations

from shared import outbox
from shared.broker import Message
from shared.events import Event
from shared.outbox import About
from shared.runtime import Resources
from shared.saga import EventOwed
from shared.step import Done
from shared.submissions import rows_for

SOURCE = "orchestrate"
OWED = EventOwed()


async def expand(resources: Resources, event: Event) -> Done | Exception:
    """Make the notifications of a set; owed are their events, and the request for the next set.

    One that fails is the answer to its own event, and to nobody else's.
    """
    key = event.data.fan_out_id
    if key is None or event.data.position < 0:
        return Done()
    try:
        found = await resources.store.fan_outs.expand(key, event.data.position, rows_for)
    except Exception as failure:
        return failure
    if found is None:
        return Done()
    resources.metrics.accepted.inc(found.new)
    owed: list[Message] = [
        outbox.write(SOURCE, About(one, found.tenant, traceparent=found.traceparent), OWED) for one in found.ids
    ]
    if found.next_position is not None:
        owed.append(
            outbox.fan_out(SOURCE, About(key, found.tenant, traceparent=found.traceparent), found.next_position)
        )
    return Done(owed)
