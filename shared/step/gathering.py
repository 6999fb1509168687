"""Events that come one a request, given to the frame in sets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Protocol

from shared.step.answers import LATER, Told
from shared.step.handed import Parcel

Waiting = tuple[Parcel, asyncio.Future[int]]


class TakesSets(Protocol):
    """A frame, as it is seen from here."""

    async def take(self, parcels: Sequence[Parcel], told: Told | None = None) -> list[int]:
        """Answer a set; `told` hears each answer as soon as it is given."""


class Gathering:
    """What arrives in one turn of the loop goes to the frame together: one set on its way to the provider, not many.

    Nobody waits for others to come, and each has its own answer as soon as it is known.
    """

    def __init__(self, frame: TakesSets) -> None:
        self._frame = frame
        self._waiting: list[Waiting] = []
        self._sets: set[asyncio.Task[None]] = set()

    async def take(self, event: Parcel) -> int:
        """Answer one event. Whoever stops waiting does not stop the work."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._hand_over)
        self._waiting.append((event, answer))
        return await answer

    def _hand_over(self) -> None:
        together, self._waiting = self._waiting, []
        # A context of its own: a set is of many requests, and must not log under the name of the first.
        task = asyncio.create_task(self._give(together), context=Context())
        self._sets.add(task)
        task.add_done_callback(self._sets.discard)

    async def _give(self, together: Sequence[Waiting]) -> None:
        def told(answers: Sequence[tuple[int, int]]) -> None:
            for place, status in answers:
                _resolve(together[place][1], status)

        try:
            told(list(enumerate(await self._frame.take([event for event, _ in together], told))))
        finally:
            for _, answer in together:
                _resolve(answer, LATER)


def _resolve(answer: asyncio.Future[int], status: int) -> None:
    if not answer.done():
        answer.set_result(status)
