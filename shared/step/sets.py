"""The work of a step that is one transaction over a set: what comes together is committed together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from shared.coalesce import Coalescer
from shared.events import Event
from shared.logs import STEP
from shared.runtime import Resources
from shared.step.answers import Conclude, Done

LARGEST_SET = 200

SETS_AT_ONCE = 3
"""While one set waits for its commit the next one is decided; more would only fight for the same two cores."""

HandleSet = Callable[[Resources, Sequence[Event]], Awaitable[Sequence[Done | Exception]]]


class SetWork:
    """Gather what callers bring, and handle it by the set: commit, and return what is owed for each event."""

    def __init__(self, name: str, resources: Resources, handle: HandleSet) -> None:
        self._name = name
        self._resources = resources
        self._handle = handle
        self._size = resources.metrics.set_size.labels(name)
        self._sets: Coalescer[Event, Done] = Coalescer(self._flush, max_size=LARGEST_SET, flushers=SETS_AT_ONCE)

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        """Work on a set, alone or together with what others bring meanwhile."""
        await conclude(list(enumerate(await self._sets.submit_all(events))))

    async def close(self) -> None:
        """Finish what was taken."""
        await self._sets.close()

    async def _flush(self, events: Sequence[Event]) -> Sequence[Done | Exception]:
        STEP.set(self._name)
        self._size.observe(len(events))
        return await self._handle(self._resources, events)
