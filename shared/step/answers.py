"""What a step says about each event of a set, and what that is in HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.broker import Message
from shared.events import Event
from shared.quick import quick

DONE = 204
LATER = 503
"""The two answers that a triggered function gives: anything else is dropped or misread by Knative (measured)."""


@quick
@dataclass(frozen=True, slots=True)
class Done:
    """The outcome is durable in the database; these messages are owed now, before it is acknowledged."""

    messages: Sequence[Message] = ()


Ended = tuple[int, Done | BaseException]
"""The place of an event in its set, and what came of it."""

Conclude = Callable[[Sequence[Ended]], Awaitable[None]]
"""Publish what is owed for events that have ended, and answer them."""

Told = Callable[[Sequence[tuple[int, int]]], None]
"""Hears the answers as they are given: place and status."""


class Work(Protocol):
    """What a step does with events: commit, then say what to publish."""

    async def __call__(self, events: Sequence[Event], conclude: Conclude) -> None:
        """Work on a set and conclude each of its events once, as it ends: a slow one holds up no other.

        What was not concluded when this returns, or raises, comes again.
        """

    async def close(self) -> None:
        """Finish what is under way, and let go of connections of its own."""
