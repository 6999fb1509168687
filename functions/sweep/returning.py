"""What a step could not take comes back here: the sweep is the dead-letter sink of every Trigger.

A dispatcher acknowledges before it hands on, and hands on what was in flight at each of its own rollouts. So nothing
is taken from the event but what it is about: its row says what is owed, and is looked at soon.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from uuid import UUID

from shared.broker.topology import RETRY_AFTER_SECONDS
from shared.events import Event, EventType
from shared.runtime import Resources
from shared.waits import Wait

SPREAD = 0.5
"""What comes back together is published again over so much more of the wait, not at one moment."""

MOST_NAMED = 20

RESULTS = frozenset({EventType.DELIVERY_SUCCEEDED, EventType.DELIVERY_FAILED})

log = logging.getLogger(__name__)


async def bring_back(resources: Resources, returned: Sequence[Event]) -> None:
    """Have the rows that events are about looked at soon; what has ended, or is due earlier, stays as it is.

    Raises:
        Transient: the database is away. A second time changes nothing.
    """
    if not returned:
        return
    looks, about = resources.store.looks, [event.data for event in returned]
    await looks.look_by([_wait(one.notification_id) for one in about if one.notification_id])
    await looks.fan_outs_by([one.fan_out_id for one in about if one.fan_out_id], RETRY_AFTER_SECONDS)
    await looks.late_successes_by(_results(returned), RETRY_AFTER_SECONDS)
    log.warning(
        "events came back from steps that could not take them",
        extra={"count": len(returned), "event_id": " ".join(event.id for event in returned[:MOST_NAMED])},
    )


def _wait(key: UUID) -> Wait:
    return Wait(key, RETRY_AFTER_SECONDS * (1 + SPREAD * (key.int & 0xFF) / 0xFF))


def _results(returned: Sequence[Event]) -> list[tuple[UUID, UUID]]:
    return [
        (event.data.notification_id, event.data.token)
        for event in returned
        if event.type in RESULTS and event.data.notification_id and event.data.token
    ]
