"""The one table of queues and exchanges. Nobody else knows a name.

The RabbitMQ definitions and the topology-operator manifests are tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.statuses import Channel

EXCHANGE = "carillon"
"""Durable direct exchange. The routing key is the work queue's name and never changes on the way."""

EVENTS = "events.main"
RESULTS = "saga.events"
COMPENSATIONS = "saga.compensations"
PARKING_LOT = "events.dlq"
RETRY = "events.retry"
HINTS = "ws.notifications"

QUEUE_ATTRIBUTE = "carillonqueue"
"""Behind a sink each event says its queue. Triggers filter on it, exactly: they know no prefixes, and an event's type
does not tell the channel.
"""

RETRY_AFTER_SECONDS = 10
"""How long a message that a step could not take stays in `events.retry` before it comes home."""

DELAYS_SECONDS = (2, 4, 8, 15, 60, 300, 900, 3600)
"""One queue per delay: per-message TTL in one queue blocks behind the longest (measured)."""

PARKING_LOT_LENGTH = 10_000


def commands(channel: Channel) -> str:
    """Name the work queue of a channel."""
    return f"saga.commands.{channel}"


def delay(seconds: int) -> str:
    """Name the exchange, and the queue, that holds a message for so long."""
    return f"saga.commands.retry.{seconds}s"


WORK_QUEUES: tuple[str, ...] = (EVENTS, *(commands(channel) for channel in Channel), RESULTS, COMPENSATIONS)


def delay_for(remaining_seconds: float) -> int | None:
    """Choose the delay for a message that is due in so many seconds: 0 now, None when only the sweep may bring it.

    The largest delay that is not longer than what is left, so that a message is never late by a long step; the last
    step rounds up to two seconds, so that it is never early.
    """
    if remaining_seconds <= 0:
        return 0
    if remaining_seconds > DELAYS_SECONDS[-1]:
        return None
    return max((step for step in DELAYS_SECONDS if step <= remaining_seconds), default=DELAYS_SECONDS[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A durable quorum queue with its arguments, and the exchange that feeds it (with `routing_key`)."""

    name: str
    exchange: str
    routing_key: str
    arguments: dict[str, str | int] = field(default_factory=dict)


_QUORUM: dict[str, str | int] = {"x-queue-type": "quorum"}
_KEPT_WHEN_DEAD: dict[str, str | int] = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}


def exchanges() -> list[Exchange]:
    """List the exchanges, in the order in which they can be declared."""
    return [
        Exchange(name=EXCHANGE, kind="direct"),
        Exchange(name=RETRY, kind="fanout"),
        *(Exchange(name=delay(seconds), kind="fanout") for seconds in DELAYS_SECONDS),
        Exchange(name=HINTS, kind="fanout"),
    ]


def _waiting(name: str, seconds: int) -> Queue:
    arguments = _QUORUM | _KEPT_WHEN_DEAD | {"x-message-ttl": seconds * 1000, "x-dead-letter-exchange": EXCHANGE}
    return Queue(name=name, exchange=name, routing_key="", arguments=arguments)


def queues() -> list[Queue]:
    """List the queues, targets of dead-lettering first: a missing one is retried only every 180 s (measured).

    A waiting queue dead-letters without a routing key of its own, so an expired message keeps its key and goes home.
    """
    work_arguments = _QUORUM | _KEPT_WHEN_DEAD | {"x-dead-letter-exchange": RETRY}
    parking = _QUORUM | {"x-max-length": PARKING_LOT_LENGTH, "x-overflow": "drop-head"}
    return [
        Queue(name=PARKING_LOT, exchange=EXCHANGE, routing_key=PARKING_LOT, arguments=parking),
        *(Queue(name=name, exchange=EXCHANGE, routing_key=name, arguments=work_arguments) for name in WORK_QUEUES),
        _waiting(RETRY, RETRY_AFTER_SECONDS),
        *(_waiting(delay(seconds), seconds) for seconds in DELAYS_SECONDS),
    ]
