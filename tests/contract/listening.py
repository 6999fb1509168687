"""What a test of a broker needs to hear messages: an inbox, and patience with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from shared.broker import Message, Received

PATIENCE_SECONDS = 20.0


async def eventually(claim: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a claim holds; fail when it does not in time."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110 - a claim about somebody else's process has no event
            await asyncio.sleep(0.01)


class Inbox:
    """Keep what arrives, and settle it at once if told so."""

    def __init__(self, settle: Callable[[Received], None] = lambda _: None) -> None:
        self.settle = settle
        self.received: list[Received] = []
        self.calls = 0

    def __call__(self, messages: Sequence[Received]) -> None:
        self.calls += 1
        self.received.extend(messages)
        for message in messages:
            self.settle(message)

    @property
    def ids(self) -> list[str]:
        return [message.message_id for message in self.received]

    async def until(self, count: int) -> list[Received]:
        """Wait for so many messages."""
        await eventually(lambda: len(self.received) >= count)
        return self.received


def acknowledge(message: Received) -> None:
    message.acknowledge()


def messages(queue: str, *ids: str, delay_seconds: int = 0) -> list[Message]:
    return [Message(queue=queue, id=each, body=_event(each), delay_seconds=delay_seconds) for each in ids]


def _event(key: str) -> bytes:
    return f'{{"specversion":"1.0","id":"{key}","source":"/tests","type":"test"}}'.encode()
