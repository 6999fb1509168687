"""What a step says about each event of a set, and what that is in HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.broker import Message
from shared.events import Event

DONE = 204
LATER = 503
"""The two answers that a triggered function gives: anything else is dropped or misread by Knative (measured)."""


@dataclass(frozen=True, slots=True)
class Done:
    """The outcome is durable in the database; these messages are owed now, before it is acknowledged."""

    messages: Sequence[Message] = ()


class Work(Protocol):
    """What a step does with a set: commit, then say what to publish. One answer or exception per event, in order."""

    async def __call__(self, events: Sequence[Event]) -> Sequence[Done | Exception]:
        """Work on a set."""

    async def close(self) -> None:
        """Let go of connections of its own."""
