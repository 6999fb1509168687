"""What a broker promises here. RabbitMQ and the in-process one pass the same contract suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from shared.errors import BrokerUnavailable
from shared.quick import quick
from shared.waits import Wait


class PublishRefused(BrokerUnavailable):
    """The broker did not take a message: unroutable, over its limit, or no confirm in time. The row is still owed."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to publish: persistent, mandatory, confirmed.

    `queue` is a work queue's name and the routing key; `id` the CloudEvent's id; `body` a structured CloudEvent;
    `delay_seconds` 0 or one of the topology's delays, `wait` what it is for.
    """

    queue: str
    id: str
    body: bytes = field(repr=False)
    delay_seconds: int = 0
    wait: Wait | None = None


class Received(Protocol):
    """One message in hand. Exactly one of `acknowledge` and `reject` is called, once, from the loop's thread.

    Both only note the wish; the implementation tells the broker in sets. After a lost connection they do nothing:
    the broker delivers again.
    """

    queue: str
    message_id: str
    content_type: str
    body: bytes
    redelivered: bool

    def acknowledge(self) -> None:
        """The outcome is durable."""

    def reject(self) -> None:
        """The step could not run: it comes back by way of `events.retry`."""


class Subscription(Protocol):
    """A consumer that can be ended."""

    async def cancel(self) -> None:
        """Take no more. What is in hand may still be settled; what is not settled is delivered again."""


OnLoss = Callable[[], Awaitable[None]]
"""Called after the topology had to be declared again: the broker may have lost what it held."""

OnMessages = Callable[[Sequence[Received]], None]
OnHint = Callable[[bytes], None]


class Broker(Protocol):
    """Transport. It may lose everything that it holds; the database publishes again what is owed."""

    on_loss: OnLoss | None

    @property
    def holds_back(self) -> bool:
        """Whether a message with a delay waits here. Where it does not, the sweep brings it, to the second."""

    @property
    def carries_bundles(self) -> bool:
        """Whether one message may carry several events. Behind a sink each is routed by what it says itself."""

    async def start(self) -> None:
        """Connect and declare the topology; return at once if the broker is away, and go on trying."""

    async def stop(self) -> None:
        """Settle what was asked for, then let go."""

    @property
    def is_ready(self) -> bool:
        """Whether a publish would have a chance now."""

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Return for each message None when it was confirmed, or why it was not. Never raises; ends in 5 s."""

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        """Consume a work queue, across reconnections, until cancelled. `on_messages` gets what arrived together.

        Of several subscriptions one gets only what those of a higher `priority` have no room for.
        """

    def hint(self, body: bytes) -> None:
        """Tell every realtime instance. Not mandatory, not confirmed, dropped when there is no connection."""

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear the hints."""

    async def depths(self) -> dict[str, int]:
        """Count the messages that wait in each work queue and in the parking lot; empty when the broker is away."""


class Hints(Protocol):
    """Another way for hints."""

    def send(self, body: bytes) -> None:
        """Tell everybody who listens; dropped when that is not possible now."""

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear the hints, across lost connections, until cancelled."""


LookBy = Callable[[Sequence[Wait]], Awaitable[object]]
"""Have the sweep look at notifications when they have waited, if it would look later. Raises Transient."""


@runtime_checkable
class Leaning(Protocol):
    """A broker that neither holds back nor tells everybody: the database does both for it."""

    def lean_on(self, hints: Hints, look_by: LookBy) -> None:
        """Take what stands in for that, before the start."""
