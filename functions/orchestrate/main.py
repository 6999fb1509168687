"""Route what was accepted, and fold what came of it.

takes   notification.accepted | fan_out.requested | delivery.succeeded | delivery.failed | receipt.recorded
        notification.due
gives   notification.accepted | fan_out.requested | delivery.requested | compensation.requested | notification.due
status  pending -> queued -> sent | delivered | compensating | skipped | expired | unknown
        pending -> scheduled (it is collected into a digest)
        sent -> queued | compensating (it came back)
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.orchestrate.saga_set import orchestrate_set
from shared.events import EventType
from shared.step import answer, over_sets

FUNCTION = over_sets(
    "orchestrate",
    {
        EventType.NOTIFICATION_ACCEPTED,
        EventType.FAN_OUT_REQUESTED,
        EventType.DELIVERY_SUCCEEDED,
        EventType.DELIVERY_FAILED,
        EventType.RECEIPT_RECORDED,
        EventType.NOTIFICATION_DUE,
    },
    orchestrate_set,
)


async def orchestrate(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
