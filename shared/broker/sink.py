"""A sink as the broker: each message is an HTTP request, and what consumes is somebody else.

The ingress of a Knative Broker (K_SINK) keeps what it answers 202 to, and its dispatchers bring it to the functions.
It holds nothing back and tells nobody of everybody: the database stands in for both.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.broker.protocol import (
    Hints,
    LookBy,
    Message,
    OnHint,
    OnLoss,
    OnMessages,
    PublishRefused,
    Subscription,
)
from shared.broker.topology import DELAYS_SECONDS
from shared.errors import Permanent, Transient

log = logging.getLogger(__name__)

PUBLISH_SECONDS = 5.0
DOUBT_SECONDS = 10.0
"""So long a sink that took nothing of a set counts as away, unless it takes something meanwhile."""


class ConsumedElsewhere(Permanent):
    """Nothing can be consumed from a sink: on a cluster Knative's dispatchers do that."""


class Line(Protocol):
    """The way to the sink."""

    connections: int

    async def send(self, message: Message, until: float) -> PublishRefused | None:
        """Send one message, until that time on the loop's clock; return why it was not taken. Never raises."""

    async def close(self) -> None:
        """Let the connections go."""


class SinkBroker:
    """The `Broker` behind a sink. `on_loss` is never called: nobody tells a publisher what a sink has lost, and what
    was refused is owed by its row as before.

    A publish of a set ends after `publish_seconds`.
    """

    holds_back = False
    carries_bundles = False

    def __init__(self, line: Line, *, publish_seconds: float = PUBLISH_SECONDS) -> None:
        self.on_loss: OnLoss | None = None
        self._line = line
        self._publish_seconds = publish_seconds
        self._hints: Hints | None = None
        self._look_by: LookBy | None = None
        self._is_open = False
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._doubt_ends_at = 0.0

    def lean_on(self, hints: Hints, look_by: LookBy) -> None:
        """Take what stands in for the queues that hold back and for the one that tells everybody."""
        self._hints, self._look_by = hints, look_by

    async def start(self) -> None:
        """Take messages from now on. The first of them connects."""
        self._is_open = True

    async def stop(self) -> None:
        """Take no more, wait for what is on its way, and let the connections go."""
        self._is_open = False
        await self._idle.wait()
        await self._line.close()

    @property
    def is_ready(self) -> bool:
        """Whether a publish would have a chance now, as far as the last one knows."""
        return self._is_open and time.monotonic() >= self._doubt_ends_at

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Return for each message None when the sink took it, or why not. Never raises; ends in 5 s.

        What is to be delayed is not sent. It is confirmed when its row is sure to be looked at in time.
        """
        if not self._is_open:
            return [PublishRefused("this process publishes no more") for _ in messages]
        self._in_hand += 1
        self._idle.clear()
        try:
            now = {place: message for place, message in enumerate(messages) if not message.delay_seconds}
            later = {place: message for place, message in enumerate(messages) if message.delay_seconds}
            until = asyncio.get_running_loop().time() + self._publish_seconds
            answers = {**await self._hold_back(later, until), **await self._send(now, until)}
            return [answers[place] for place in range(len(messages))]
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        """Refuse to.

        Raises:
            ConsumedElsewhere: always.
        """
        raise ConsumedElsewhere("K_SINK only takes messages; Knative's dispatchers bring them: set AMQP_URL to consume")

    def hint(self, body: bytes) -> None:
        """Tell every realtime instance by way of the database."""
        if self._hints is not None:
            self._hints.send(body)

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear the hints by way of the database.

        Raises:
            ConsumedElsewhere: there is no database behind it.
        """
        if self._hints is None:
            raise ConsumedElsewhere("hints come by way of the database, and there is none behind this sink")
        return await self._hints.listen(on_hint)

    async def depths(self) -> dict[str, int]:
        """Count nothing: the queues are the Broker's own."""
        return {}

    async def _send(self, wanted: Mapping[int, Message], until: float) -> dict[int, PublishRefused | None]:
        """Send at once as many as there are connections."""
        answers: dict[int, PublishRefused | None] = {}
        todo = iter(wanted.items())

        async def work() -> None:
            for place, message in todo:
                answers[place] = await self._line.send(message, until)

        await asyncio.gather(*[work() for _ in range(min(len(wanted), self._line.connections))])
        if answers:
            is_away = all(answer is not None for answer in answers.values())
            self._doubt_ends_at = time.monotonic() + DOUBT_SECONDS if is_away else 0.0
        return answers

    async def _hold_back(self, wanted: Mapping[int, Message], until: float) -> dict[int, PublishRefused | None]:
        """Have the sweep bring what is due later, from its row."""
        answers: dict[int, PublishRefused | None] = {
            place: _refusal(message, self._look_by) for place, message in wanted.items()
        }
        waits = [message.wait for place, message in wanted.items() if answers[place] is None and message.wait]
        if not waits or self._look_by is None:
            return answers
        try:
            async with asyncio.timeout_at(until):
                await self._look_by(waits)
        except (Transient, TimeoutError):
            refused = PublishRefused("nobody knows whether it is looked at in time")
            return {place: answer or refused for place, answer in answers.items()}
        return answers


def _refusal(message: Message, look_by: LookBy | None) -> PublishRefused | None:
    """Say why a delayed message would not come back by its row."""
    if message.delay_seconds not in DELAYS_SECONDS:
        return PublishRefused("no such delay")
    if message.wait is None or look_by is None:
        return PublishRefused("no row would bring it when it is due")
    return None
