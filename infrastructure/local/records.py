"""What the manifests say, as records of the local runtime."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shared.broker.topology import QUEUE_ATTRIBUTE, commands
from shared.statuses import Channel

MAX_PARALLELISM = 1000

_ISO_DURATION = re.compile(
    r"^P(?=\d|T\d)(?:(?P<days>\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+(?:\.\d+)?)H)?(?:(?P<minutes>\d+(?:\.\d+)?)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?$"
)
_SECONDS_PER = {"days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One function. `concurrency` 0 means no limit; a public one may be reached by clients."""

    name: str
    concurrency: int = 0
    timeout_seconds: int = 300
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSource:
    """A RabbitmqSource: a work queue, and the function that its messages go to.

    In workers that share a queue, one has at most `prefetch` messages in hand (0: as many as the function has room
    for), and of those with a lower `priority` only what the others have no room for.
    """

    name: str
    queue: str
    service: str
    namespace: str = "default"
    parallelism: int = 1
    retry: int = 0
    backoff_policy: str = "exponential"
    backoff_seconds: float = 0.2
    prefetch: int = 0
    priority: int = 0

    def wait_seconds(self, retry: int) -> float:
        """Return the wait before a retry, counted from 1: the adapter's formula, so the first exponential one is 2x."""
        return backoff_seconds(self.backoff_policy, self.backoff_seconds, retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a dispatcher does with what its function does not take; without a dead-letter sink it drops it."""

    retry: int
    backoff_policy: str
    backoff_seconds: float
    timeout_seconds: float
    dead_letter_service: str | None = None

    def wait_seconds(self, retry: int) -> float:
        """Return the wait before a retry, counted from 1."""
        return backoff_seconds(self.backoff_policy, self.backoff_seconds, retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Events of the Broker whose attributes are exactly these, and the function that they go to."""

    name: str
    service: str
    delivery: Delivery
    attributes: Mapping[str, str] = field(default_factory=dict)
    namespace: str = "default"
    parallelism: int = 1

    @property
    def queue(self) -> str | None:
        """The work queue that it stands for, if it asks for one."""
        return self.attributes.get(QUEUE_ATTRIBUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PingSource:
    """A tick: at every time of `schedule` the function gets an event with `data`, a JSON object."""

    name: str
    schedule: str
    service: str
    data: str = "{}"
    namespace: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path prefix of the public address; without methods it takes every one."""

    prefix: str
    service: str
    methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Everything that the folder says, in the order of its files."""

    services: Mapping[str, Service] = field(default_factory=dict)
    queue_sources: tuple[QueueSource, ...] = ()
    ping_sources: tuple[PingSource, ...] = ()
    routes: tuple[Route, ...] = ()
    broker: str | None = None
    triggers: tuple[Trigger, ...] = ()
    folder: Path | None = field(default=None, compare=False)  # where they were read

    def serving(self, channels: Collection[Channel]) -> Manifests:
        """Leave out what feeds channels that nothing is sent on, and the functions that only that feeds."""
        unserved = {commands(channel) for channel in Channel if channel not in channels}
        sources = tuple(source for source in self.queue_sources if source.queue not in unserved)
        triggers = tuple(trigger for trigger in self.triggers if trigger.queue not in unserved)
        idle = _fed(self.queue_sources, self.triggers) - _fed(sources, triggers)
        services = {name: service for name, service in self.services.items() if name not in idle}
        return replace(self, services=services, queue_sources=sources, triggers=triggers)


def _fed(sources: Iterable[QueueSource], triggers: Iterable[Trigger]) -> set[str]:
    return {source.service for source in sources} | {trigger.service for trigger in triggers}


def backoff_seconds(policy: str, delay_seconds: float, retry: int) -> float:
    """Return the wait before a retry, counted from 1, as Knative has it: the first exponential one is 2 x delay."""
    return float(delay_seconds * (retry if policy == "linear" else 2**retry))


def duration_seconds(text: str) -> float:
    """Read an ISO-8601 duration of days and smaller units.

    Raises:
        ValueError: it is none. Knative accepts such a manifest, and its adapter then dies at the first retry.
    """
    found = _ISO_DURATION.match(text)
    if not found:
        raise ValueError(f"{text!r} is no ISO-8601 duration such as PT0.5S")
    return sum(float(number) * _SECONDS_PER[unit] for unit, number in found.groupdict().items() if number)
