"""The one list of metrics. Every label is bounded: ids never are labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """What a process counts. A failure to count is never in anybody's way."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.accepted = Counter(
            "carillon_notifications_accepted_total", "Notifications that were kept.", registry=registry
        )
        self.refused = Counter(
            "carillon_requests_refused_total", "Requests answered with a problem.", ["status"], registry=registry
        )
        self.events = Counter(
            "carillon_step_events_total", "Events that a step answered.", ["step", "answer"], registry=registry
        )
        self.set_size = Histogram(
            "carillon_step_set_size", "Events that a step took at once.", ["step"], buckets=SIZES, registry=registry
        )
        self.ended = Counter(
            "carillon_notifications_ended_total", "Sagas that reached a status.", ["status"], registry=registry
        )
        self.attempts = Counter(
            "carillon_delivery_attempts_total",
            "Calls to a provider, by what came of them.",
            ["channel", "provider", "outcome"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "carillon_provider_call_seconds",
            "How long a call to a provider took.",
            ["channel", "provider"],
            buckets=SECONDS,
            registry=registry,
        )
        self.accepted_to_sent_seconds = Histogram(
            "carillon_accepted_to_sent_seconds",
            "From acceptance to the provider's yes.",
            ["channel"],
            buckets=SECONDS,
            registry=registry,
        )
        self.postponed = Counter(
            "carillon_delivery_postponed_total",
            "Attempts that waited for an open breaker.",
            ["channel", "provider"],
            registry=registry,
        )
        self.forged = Counter(
            "carillon_results_unfounded_total",
            "Results whose token nobody was given: they move nothing.",
            registry=registry,
        )
        self.dead_letters = Counter(
            "carillon_dead_letters_total", "Dead letters that were kept.", ["kind"], registry=registry
        )
        self.republished = Counter(
            "carillon_sweep_republished_total", "Messages that the sweep published again.", registry=registry
        )
        self.publish_refused = Counter(
            "carillon_publish_refused_total", "Messages that the broker did not confirm.", ["step"], registry=registry
        )
        self.backlog = Gauge(
            "carillon_backlog", "Notifications under way when the sweep last counted.", registry=registry
        )
        self.websockets = Gauge("carillon_websocket_connections", "Open WebSockets.", registry=registry)

    def render(self) -> bytes:
        """Write the Prometheus text format."""
        return generate_latest(self.registry)
