"""A work queue in memory: messages that wait, messages in hand, messages that come back later."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle, islice

from shared.broker import topology
from shared.broker.protocol import Message, OnMessages
from shared.events import CONTENT_TYPE

log = logging.getLogger(__name__)


class InProcessReceived:
    """One message in hand."""

    __slots__ = ("_consumer", "body", "content_type", "message_id", "queue", "redelivered")

    def __init__(self, consumer: Consumer, message: Message, *, redelivered: bool) -> None:
        self._consumer = consumer
        self.queue = message.queue
        self.message_id = message.id
        self.content_type = CONTENT_TYPE
        self.body = message.body
        self.redelivered = redelivered

    def acknowledge(self) -> None:
        """The outcome is durable."""
        self._consumer.settle(self, is_done=True)

    def reject(self) -> None:
        """The step could not run: it comes back after a while."""
        self._consumer.settle(self, is_done=False)


class DelayLine:
    """Hold messages for one length of time: first in, first out, one timer for all of them."""

    def __init__(self, seconds: float, release: Callable[[Message], None]) -> None:
        self._seconds = seconds
        self._release = release
        self._waiting: deque[tuple[float, Message]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, message: Message) -> None:
        """Hold a message from now on."""
        loop = asyncio.get_running_loop()
        self._waiting.append((loop.time() + self._seconds, message))
        if self._timer is None:
            self._timer = loop.call_at(self._waiting[0][0], self._ring)

    def clear(self) -> None:
        """Forget every message."""
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and self._waiting[0][0] <= now:  # a timer may ring a clock's tick early, a message may not
            self._release(self._waiting.popleft()[1])
        self._timer = loop.call_at(self._waiting[0][0], self._ring) if self._waiting else None


class WorkQueue:
    """One queue and its consumers. `held` counts its messages wherever they wait, so that all of them have a bound."""

    def __init__(self, name: str, retry: DelayLine) -> None:
        self.name = name
        self.retry = retry
        self.waiting: deque[tuple[Message, bool]] = deque()  # with whether it was delivered before
        self.consumers: list[Consumer] = []
        self.held = 0
        self._is_called = False
        self._turn = 0

    def put(self, message: Message) -> None:
        """Let a message wait for a consumer; the parking lot forgets its oldest for it."""
        self.waiting.append((message, False))
        if self.name == topology.PARKING_LOT and len(self.waiting) > topology.PARKING_LOT_LENGTH:
            self.waiting.popleft()
            self.held -= 1
        self.call()

    def put_back(self, messages: Sequence[Message]) -> None:
        """Let messages that were delivered once wait at the head again."""
        self.waiting.extendleft((message, True) for message in reversed(messages))
        self.call()

    def call(self) -> None:
        """Have what waits delivered on the next turn of the loop, so that what arrives together stays together."""
        if self.waiting and self.consumers and not self._is_called:
            self._is_called = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_called = False
        hungry = [consumer for consumer in self.consumers if consumer.room > 0]
        if not hungry:
            return
        first = max(consumer.priority for consumer in hungry)
        hungry = [consumer for consumer in hungry if consumer.priority == first]
        self._turn += 1
        ready = min(len(self.waiting), sum(consumer.room for consumer in hungry))
        shares: dict[Consumer, list[tuple[Message, bool]]] = {consumer: [] for consumer in hungry}
        rest = [self.waiting.popleft() for _ in range(ready)]
        for consumer in islice(cycle(hungry), self._turn % len(hungry), None):
            if not rest:
                break
            share = shares[consumer]
            # Shares as even as the rooms allow; one consumer alone takes everything in one go.
            size = min(consumer.room - len(share), -(-len(rest) // len(hungry)))
            share += rest[:size]
            del rest[:size]
        for consumer, share in shares.items():
            if share:
                consumer.take(share)
        self.call()  # what they had no room for is for whoever comes after them


class Consumer:
    """One subscription: never holds more than its prefetch."""

    def __init__(self, queue: WorkQueue, on_messages: OnMessages, prefetch: int, priority: int = 0) -> None:
        self._queue = queue
        self.priority = priority
        self._on_messages = on_messages
        self._prefetch = prefetch
        self._in_hand: dict[InProcessReceived, Message] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def room(self) -> int:
        """How many messages it may still take."""
        return self._prefetch - len(self._in_hand)

    def take(self, share: list[tuple[Message, bool]]) -> None:
        """Hand over messages; what cannot be handed over comes back later."""
        arrived = []
        for message, redelivered in share:
            received = InProcessReceived(self, message, redelivered=redelivered)
            self._in_hand[received] = message
            arrived.append(received)
        try:
            self._on_messages(arrived)
        except Exception:  # a bug of ours; the messages come back until it is mended
            log.exception("messages could not be handed over", extra={"queue": self._queue.name})
            for received in arrived:
                received.reject()

    def settle(self, received: InProcessReceived, *, is_done: bool) -> None:
        """Settle one message, once."""
        message = self._in_hand.pop(received, None)
        if message is None:
            return
        if is_done:
            self._queue.held -= 1
        else:
            self._queue.retry.put(message)
        self._queue.call()

    def forget(self) -> None:
        """Forget what is in hand, as after a lost connection to a broker that lost everything."""
        self._in_hand.clear()

    def let_go(self, settle_seconds: float) -> None:
        """Take no more; what is not settled in time goes back."""
        if self in self._queue.consumers:
            self._queue.consumers.remove(self)
            self._timer = asyncio.get_running_loop().call_later(settle_seconds, self.give_back)

    def give_back(self) -> None:
        """Give back what is not settled."""
        messages = list(self._in_hand.values())
        self._in_hand.clear()
        self._queue.put_back(messages)

    def close(self) -> None:
        """End at once."""
        if self._timer:
            self._timer.cancel()
        self._in_hand.clear()
