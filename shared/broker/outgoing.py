"""The way out of a process: results wait a moment for company, everything else goes at once.

Nobody waits for a result: its message has left, or has not. To fold one costs the database, the broker and the
interpreter as much as to fold ten (decision 48).
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.broker.bundling import publish
from shared.broker.protocol import Broker, Message, PublishRefused
from shared.broker.topology import RESULTS
from shared.coalesce import Coalescer

LINGER_SECONDS = 0.03

ENOUGH = 20
"""So many results of one set are company enough."""


class Outgoing:
    """Publishes for all functions of a process, so that results of several sets can travel together."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._results: Coalescer[Message, PublishRefused | None] = Coalescer(
            self._publish, flushers=2, linger_seconds=LINGER_SECONDS
        )

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Publish a list; return one outcome per message, in order. Never raises."""
        if self._broker.carries_bundles and len(messages) < ENOUGH and all(map(_can_wait, messages)):
            return [_outcome(said) for said in await self._results.submit_all(messages)]
        return await self._publish(messages)

    async def _publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        return await publish(self._broker, messages)


def _can_wait(message: Message) -> bool:
    return message.queue == RESULTS and not message.delay_seconds


def _outcome(said: PublishRefused | BaseException | None) -> PublishRefused | None:
    return said if said is None or isinstance(said, PublishRefused) else PublishRefused(str(said))
