"""The one list of metrics. Every label is bounded: ids never are labels.

docs/metrics.md is generated from it: `python -m infrastructure.prometheus.generate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from shared.statuses import TERMINAL, Channel, OutcomeKind

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
LONG_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400)
LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

IN_TIME_SECONDS = 10
"""The service level: so soon after a notification was due a provider has it."""

LABELS = MappingProxyType(
    {
        "answer": "`done`, `later`",
        "channel": ", ".join(f"`{channel}`" for channel in Channel),
        "code": "an HTTP status",
        "function": "a folder under `functions/`, by the name of its service",
        "kind": "`notification`, `unknown`, `garbage`, `internal`",
        "outcome": ", ".join(f"`{kind}`" for kind in OutcomeKind) + "; of receipts what was said, `known`, `ignored`",
        "provider": "one of those that are configured; `carillon` where nothing was called",
        "state": "`open`, `half_open`",
        "status": "a terminal status of a notification; of refused calls an HTTP status",
        "step": "a triggered function",
        "why": "`throttled`, `left_alone`",
        "result": "`in_time`, `late`, `refused`, `gave_up`, `expired`, `unknown`",
    }
)
"""Every label, and what it can say: a handful of values, whatever happens."""

Metric = TypeVar("Metric", Counter, Gauge, Histogram)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One line of the list."""

    name: str
    kind: str
    sentence: str
    unit: str
    labels: tuple[str, ...] = ()


class Kept(cached_property[T]):
    """A metric of each process, and what describes it."""

    def __init__(self, described: Described, make: Callable[[Metrics], T]) -> None:
        super().__init__(make)
        self.described = described


def _kept(
    described: Described, make: Callable[[CollectorRegistry], Metric], starts: Sequence[tuple[str, ...]] = ()
) -> Kept[Metric]:
    """Keep a metric. `starts` are values of its labels that are there, at zero: the first count is then an increase."""

    def made(metrics: Metrics) -> Metric:
        metric = make(metrics.registry)
        for values in starts:
            metric.labels(*values)
        return metric

    return Kept(described, made)


def _counter(name: str, sentence: str, *labels: str, unit: str = "count", starts: Sequence[str] = ()) -> Kept[Counter]:
    full = f"carillon_{name}_total"
    described = Described(name=full, kind="counter", sentence=sentence, unit=unit, labels=labels)
    starting = [(value,) for value in starts]
    return _kept(described, lambda registry: Counter(full, sentence, labels, registry=registry), starting)


def _gauge(name: str, sentence: str, *labels: str, unit: str = "count") -> Kept[Gauge]:
    full = f"carillon_{name}"
    described = Described(name=full, kind="gauge", sentence=sentence, unit=unit, labels=labels)
    return _kept(described, lambda registry: Gauge(full, sentence, labels, registry=registry))


def _histogram(
    name: str, sentence: str, *labels: str, unit: str = "seconds", buckets: tuple[float, ...] = SECONDS
) -> Kept[Histogram]:
    full = f"carillon_{name}"
    described = Described(name=full, kind="histogram", sentence=sentence, unit=unit, labels=labels)
    return _kept(described, lambda registry: Histogram(full, sentence, labels, buckets=buckets, registry=registry))


class Metrics:
    """What a process counts. A failure to count is never in anybody's way."""

    accepted = _counter("notifications_accepted", "Notifications that were kept.")
    ended = _counter(
        "notifications_ended",
        "Notifications that reached a terminal status; one that was sent and then delivered is in both.",
        "status",
        starts=sorted(TERMINAL),
    )
    service_level = _counter(
        "service_level",
        f"Notifications by whether a provider had them within {IN_TIME_SECONDS} s of when they were due, or why never.",
        "result",
        starts=("in_time", "late", "refused", "gave_up", "expired", "unknown"),
    )
    accepted_to_sent_seconds = _histogram(
        "accepted_to_sent_seconds", "From acceptance to the provider's yes, of every message that was sent.", "channel"
    )
    accepted_to_delivered_seconds = _histogram(
        "accepted_to_delivered_seconds",
        "From acceptance until the far side says that it arrived.",
        "channel",
        buckets=LONG_SECONDS,
    )

    attempts = _counter(
        "delivery_attempts",
        "Attempts that came back, by what came of them.",
        *("channel", "provider", "outcome"),
    )
    call_seconds = _histogram("provider_call_seconds", "How long a call to a provider took.", "channel", "provider")
    retries = _counter("delivery_retries", "Deliveries that were told to try again after a failure.", "channel")
    deferrals = _counter(
        "delivery_deferrals",
        "Deliveries that were told to wait, with no try used up: by their provider, or by quiet hours.",
        *("channel", "why"),
    )
    postponed = _counter("delivery_postponed", "Attempts that waited for an open breaker.", "channel", "provider")
    ambiguous = _counter(
        "delivery_ambiguous", "Attempts of which nobody knows whether they were taken, lost leases included.", "channel"
    )
    breakers = _gauge(
        "breaker_tenants",
        "Tenants for whom the breaker before a provider is open, or waits for its probe; none where it is closed.",
        *("channel", "provider", "state"),
    )
    unfounded = _counter("results_unfounded", "Results whose token nobody was given: they move nothing.")
    receipts = _counter(
        "receipts", "Callbacks of providers: what they said that was new, known, or ignored.", "provider", "outcome"
    )
    undone = _counter("undone", "Calls that asked a provider to take a message back.", "channel", "outcome")
    dead_letters = _counter(
        "dead_letters",
        "Dead letters that were kept.",
        "kind",
        starts=("notification", "unknown", "garbage", "internal"),
    )

    backlog = _gauge("backlog", "Notifications under way when the sweep last counted.")
    backlog_limit = _gauge("backlog_limit", "So many may be under way; beyond, the intake says 503.")
    oldest = _gauge("saga_oldest_seconds", "Age of the oldest notification that no provider has yet.", unit="seconds")
    stalled = _gauge("sagas_stalled", "Notifications for which the sweep has asked twice or more in vain.")
    stuck = _gauge("sagas_stuck", "Notifications that have not moved for half an hour, however often they were asked.")
    dead_letters_open = _gauge("dead_letters_open", "Dead letters that wait for a person.")
    swept_ago = _gauge("swept_seconds_ago", "How long ago the sweep last counted.", unit="seconds")
    republished = _counter("sweep_republished", "Messages that the sweep published again.")
    retention_deleted = _counter(
        "retention_deleted", "Ended notifications that were deleted, because RETENTION_DAYS have passed since."
    )

    events = _counter("step_events", "Events that a step answered: done, or later.", "step", "answer")
    set_size = _histogram("step_set_size", "Events that a step took at once.", "step", unit="events", buckets=SIZES)
    folded_again = _counter("sets_folded_again", "Sets that orchestrate folded a second time, under locks.")
    publish_refused = _counter("publish_refused", "Messages that the broker did not confirm.", "step")

    requests = _counter("requests", "HTTP requests that were answered.", "function", "code")
    request_seconds = _histogram("request_seconds", "How long a request took, to the end of its answer.", "function")
    calls_refused = _counter(
        "calls_refused",
        "Calls that the gate did not let in, by their status.",
        "status",
        starts=("401", "403", "429"),
    )
    limits_unshared = _counter("limits_unshared", "Calls limited by one process alone, because Redis did not answer.")
    websockets = _gauge("websocket_connections", "Open WebSockets.")
    event_streams = _gauge("event_streams", "Open streams of Server-Sent Events.")

    loop_lag = _histogram(
        "loop_lag_seconds",
        "How late the event loop came to what was due, looked at once a second.",
        buckets=LAG_SECONDS,
    )
    pool_connections = _gauge("database_connections", "Connections to Postgres that this process holds.")
    pool_waiting = _gauge("database_waiting", "Callers that wait for a connection now.")
    pool_waits = _counter("database_waits", "Callers that had to wait for a connection.")
    pool_wait_seconds = _counter("database_wait_seconds", "Time that callers waited for a connection.", unit="seconds")

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        for name in _LIST:
            getattr(self, name)  # so that each is there, at zero, before the first count

    def render(self) -> bytes:
        """Write the Prometheus text format."""
        return generate_latest(self.registry)


_LIST = {name: value.described for name, value in vars(Metrics).items() if isinstance(value, Kept)}


def described() -> list[Described]:
    """List what is kept, in the order of the list."""
    return list(_LIST.values())
