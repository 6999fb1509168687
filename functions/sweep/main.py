"""Look at what is due, overdue, expired, or whose lease ran out, and publish what is owed.

takes   a tick; and, where a Knative Broker stands in for RabbitMQ, what came back from a step that could not take it:
        notification.accepted | fan_out.requested | delivery.requested | delivery.succeeded | delivery.failed
        receipt.recorded | notification.due | compensation.requested | notification.failed
gives   notification.accepted | fan_out.requested | delivery.requested | delivery.succeeded | delivery.failed
        compensation.requested | notification.due
status  scheduled -> pending | queued (a digest, and its members); pending | queued -> expired;
        sent -> queued (not acknowledged in time, or it came back); members of a digest -> as it ended
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.sweep.looking import sweep_set
from shared.events import EventType
from shared.step import answer, over_sets

FUNCTION = over_sets("sweep", set(EventType) - {EventType.BUNDLE}, sweep_set)


async def sweep(event: CloudEvent) -> None:
    """Take one tick, or one event that came back, from functions-framework."""
    await answer(event)
