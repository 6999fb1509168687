"""The one list of metrics. Every label is bounded: ids never are labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

Metric = TypeVar("Metric", Counter, Gauge, Histogram)


def _counter(name: str, sentence: str, *labels: str) -> cached_property[Counter]:
    return _made(lambda registry: Counter(f"carillon_{name}_total", sentence, labels, registry=registry))


def _gauge(name: str, sentence: str, *labels: str) -> cached_property[Gauge]:
    return _made(lambda registry: Gauge(f"carillon_{name}", sentence, labels, registry=registry))


def _histogram(
    name: str, sentence: str, *labels: str, buckets: tuple[float, ...] = SECONDS
) -> cached_property[Histogram]:
    return _made(lambda registry: Histogram(f"carillon_{name}", sentence, labels, buckets=buckets, registry=registry))


def _made(make: Callable[[CollectorRegistry], Metric]) -> cached_property[Metric]:
    return cached_property(lambda metrics: make(metrics.registry))


class Metrics:
    """What a process counts. A failure to count is never in anybody's way."""

    accepted = _counter("notifications_accepted", "Notifications that were kept.")
    ended = _counter("notifications_ended", "Sagas that reached a status.", "status")
    events = _counter("step_events", "Events that a step answered: done, or later.", "step", "answer")
    set_size = _histogram("step_set_size", "Events that a step took at once.", "step", buckets=SIZES)
    folded_again = _counter("sets_folded_again", "Sets that orchestrate folded a second time, under locks.")
    attempts = _counter(
        "delivery_attempts", "Calls to a provider, by what came of them.", "channel", "provider", "outcome"
    )
    call_seconds = _histogram("provider_call_seconds", "How long a call to a provider took.", "channel", "provider")
    accepted_to_sent_seconds = _histogram(
        "accepted_to_sent_seconds", "From acceptance to the provider's yes.", "channel"
    )
    postponed = _counter("delivery_postponed", "Attempts that waited for an open breaker.", "channel", "provider")
    unfounded = _counter("results_unfounded", "Results whose token nobody was given: they move nothing.")
    receipts = _counter(
        "receipts", "Callbacks of providers: what they said that was new, known, or ignored.", "provider", "outcome"
    )
    undone = _counter("undone", "Calls that asked a provider to take a message back.", "channel", "outcome")
    dead_letters = _counter("dead_letters", "Dead letters that were kept.", "kind")
    republished = _counter("sweep_republished", "Messages that the sweep published again.")
    publish_refused = _counter("publish_refused", "Messages that the broker did not confirm.", "step")
    backlog = _gauge("backlog", "Notifications under way when the sweep last counted.")
    calls_refused = _counter("calls_refused", "Calls that the gate did not let in, by their status.", "status")
    limits_unshared = _counter("limits_unshared", "Calls limited by one process alone, because Redis did not answer.")
    websockets = _gauge("websocket_connections", "Open WebSockets.")

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                getattr(self, name)  # so that each is there, at zero, before the first count

    def render(self) -> bytes:
        """Write the Prometheus text format."""
        return generate_latest(self.registry)
