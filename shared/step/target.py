"""Between functions-framework and the frame: the framework's target hands its event to the frame of this request."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from cloudevents.http import CloudEvent
from starlette.exceptions import HTTPException

from shared.errors import Garbage
from shared.events import from_attributes, unpack
from shared.step.answers import DONE, LATER
from shared.step.gathering import Gathering
from shared.step.handed import Parcel

FRAME: ContextVar[Gathering] = ContextVar("frame")
"""The way to the frame in whose app this request came in. A function itself keeps nothing."""

RETRY_AFTER_SECONDS = "1"


async def answer(event: CloudEvent) -> None:
    """Give one event to the frame; return when it is durable.

    Raises:
        HTTPException: 503, the one way to tell Knative "again, later" (measured).
    """
    if await FRAME.get().take(_read(dict(event.get_attributes()), event.get_data())) != DONE:
        raise HTTPException(LATER, headers={"Retry-After": RETRY_AFTER_SECONDS})


def _read(attributes: dict[str, Any], data: object) -> Parcel:
    try:
        return from_attributes(attributes, data)
    except Garbage as garbage:
        found = unpack({**attributes, "data": data})
        if found is None:
            raise Unreadable(str(garbage)) from None
        return found


class Unreadable(HTTPException):
    """It is a CloudEvent, but none of ours; the app around it keeps the bytes."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, detail=reason)
