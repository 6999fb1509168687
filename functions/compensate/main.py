"""Undo what can be undone, record what could not, and keep the dead letter.

takes   compensation.requested
gives   notification.failed (the parking lot)
status  compensating -> failed | cancelled
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.compensate.undoing import compensate_set
from shared.events import EventType
from shared.step import answer, over_sets

FUNCTION = over_sets("compensate", {EventType.COMPENSATION_REQUESTED}, compensate_set)


async def compensate(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
