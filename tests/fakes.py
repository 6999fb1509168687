"""The fakes: each keeps the promises of what it stands for, and can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.broker import Message, OnLoss, PublishRefused
from shared.outcomes import Letter, Outcome
from shared.statuses import OutcomeKind


class ScriptedProvider:
    """A provider that answers from a script, then accepts; it remembers what it was asked."""

    def __init__(
        self, *answers: Outcome | OutcomeKind | Exception, deadline_seconds: float = 5, name: str = "scripted"
    ) -> None:
        self.name, self.deadline_seconds, self.calls_at_once = name, deadline_seconds, 100
        self.answers = list(answers)
        self.letters: list[Letter] = []
        self.gate: asyncio.Event | None = None

    async def send(self, letter: Letter) -> Outcome:
        """Give the next answer, once the gate (if there is one) is open."""
        self.letters.append(letter)
        answer = self.answers.pop(0) if self.answers else OutcomeKind.ACCEPTED
        if self.gate:
            await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Outcome) else Outcome(kind=answer, code=answer.value, provider=self.name)

    async def close(self) -> None:
        """Nothing is held."""


class HoldingBroker:
    """A broker that only keeps what it confirmed; it can refuse."""

    carries_bundles = False

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.hints: list[bytes] = []
        self.refuses, self.is_ready = False, True
        self.on_loss: OnLoss | None = None

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Keep a set, or refuse it."""
        if self.refuses:
            return [PublishRefused("told to refuse") for _ in messages]
        self.published += messages
        return [None] * len(messages)

    def hint(self, body: bytes) -> None:
        """Keep a hint."""
        self.hints.append(body)
