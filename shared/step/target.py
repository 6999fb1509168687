"""Between functions-framework and the frame: the framework's target hands its event to the frame of this request."""

from __future__ import annotations

from contextvars import ContextVar

from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from shared.errors import Garbage
from shared.events import from_attributes
from shared.step.answers import DONE, LATER
from shared.step.gathering import Gathering

FRAME: ContextVar[Gathering] = ContextVar("frame")
"""The way to the frame in whose app this request came in. A function itself keeps nothing."""

RETRY_AFTER_SECONDS = "1"


async def answer(event: CloudEvent) -> None:
    """Give one event to the frame; return when it is durable.

    Raises:
        HTTPException: 503, the one way to tell Knative "again, later" (measured).
    """
    try:
        item = from_attributes(dict(event.get_attributes()), event.get_data())
    except Garbage as garbage:
        raise Unreadable(str(garbage)) from None
    if await FRAME.get().take(item) != DONE:
        raise HTTPException(LATER, headers={"Retry-After": RETRY_AFTER_SECONDS})


class Unreadable(HTTPException):
    """It is a CloudEvent, but none of ours; the app around it keeps the bytes."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, detail=reason)
