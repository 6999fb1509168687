"""Undo what can be undone, record what could not, and keep the dead letter.

takes   compensation.requested
gives   notification.failed (the parking lot)
status  compensating -> failed | cancelled; what was sent -> retracted
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.compensate.compensating import SOURCE, Compensating
from functions.compensate.providers import Undoers
from shared.events import EventType
from shared.step import Step, answer

FUNCTION = Step(
    name=SOURCE,
    takes=frozenset({EventType.COMPENSATION_REQUESTED}),
    open=lambda resources: Compensating(resources, Undoers.of(resources)),
)


async def compensate(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
