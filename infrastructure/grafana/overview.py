"""The dashboard of the whole: what comes in, how it goes, and what waits."""

from __future__ import annotations

from infrastructure.grafana.panels import PER_SECOND, SECONDS, SHARE, Panel, Query, Row
from infrastructure.grafana.queries import quantile, quantiles, rate

ATTEMPTS, TAKEN = "carillon_delivery_attempts_total", 'outcome="accepted"'
OVERVIEW = (
    Row(
        title="The gateway",
        panels=(
            Panel(
                title="Accepted",
                about="Notifications that were kept, a second.",
                queries=(Query(rate("carillon_notifications_accepted_total"), "accepted"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="Requests by answer",
                about="5xx here is ours; 4xx is the callers'.",
                queries=(Query(rate("carillon_requests_total", "code", where='function!=""'), "{{code}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="How long the intake takes",
                about="From a request's first byte to the last of its answer.",
                queries=quantiles("carillon_request_seconds", 'function="ingest"'),
                unit=SECONDS,
            ),
            Panel(
                title="Refused at the gate",
                about="401 without a key, 403 without the scope, 429 too often.",
                queries=(Query(rate("carillon_calls_refused_total", "status"), "{{status}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="Open WebSockets",
                about="Clients that are connected now.",
                queries=(Query("sum(carillon_websocket_connections)", "open"),),
            ),
        ),
    ),
    Row(
        title="Sagas",
        panels=(
            Panel(
                title="How they end",
                about="Notifications that reached a terminal status, a second.",
                queries=(Query(rate("carillon_notifications_ended_total", "status"), "{{status}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="Under way",
                about="At the limit the intake says 503. Stalled were asked for twice in vain, stuck for half an hour.",
                queries=(
                    Query("max(carillon_backlog)", "under way"),
                    Query("max(carillon_sagas_stalled)", "stalled"),
                    Query("max(carillon_sagas_stuck)", "stuck"),
                    Query("max(carillon_backlog_limit)", "limit"),
                ),
            ),
            Panel(
                title="The oldest that nobody has",
                about="It may wait for good reason, such as quiet hours: stuck ones are counted beside it.",
                queries=(Query("max(carillon_saga_oldest_seconds)", "age"),),
                unit=SECONDS,
            ),
            Panel(
                title="Open dead letters",
                about="Each waits for a person.",
                queries=(Query("max(carillon_dead_letters_open)", "open"),),
                kind="stat",
            ),
            Panel(
                title="New dead letters",
                about="By what they are.",
                queries=(Query("sum by (kind) (increase(carillon_dead_letters_total[$__rate_interval]))", "{{kind}}"),),
            ),
            Panel(
                title="The sweep",
                about="How long ago it last came by: some five seconds. What it publishes again had been lost or late.",
                queries=(
                    Query("min(carillon_swept_seconds_ago)", "seconds ago"),
                    Query(rate("carillon_sweep_republished_total"), "published again, a second"),
                    Query(rate("carillon_retention_deleted_total"), "deleted by retention, a second"),
                ),
            ),
        ),
    ),
    Row(
        title="Delivery",
        panels=(
            Panel(
                title="Success by channel",
                about="The share of calls that the provider took.",
                queries=(
                    Query(
                        f"{rate(ATTEMPTS, 'channel', where=TAKEN)} / {rate(ATTEMPTS, 'channel')}",
                        "{{channel}}",
                    ),
                ),
                unit=SHARE,
            ),
            Panel(
                title="What came of the calls",
                about="By provider.",
                queries=(Query(rate(ATTEMPTS, "provider", "outcome"), "{{provider}}: {{outcome}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="Again, later, and nobody knows",
                about="Retries use up a try; deferrals and open breakers do not.",
                queries=(
                    Query(rate("carillon_delivery_retries_total"), "retries"),
                    Query(rate("carillon_delivery_deferrals_total", "why"), "deferred: {{why}}"),
                    Query(rate("carillon_delivery_postponed_total"), "waiting for a breaker"),
                    Query(rate("carillon_delivery_ambiguous_total"), "ambiguous"),
                ),
                unit=PER_SECOND,
            ),
            Panel(
                title="Breakers",
                about="Tenants for whom a provider is left alone (open), or is to be tried by one call (half open).",
                queries=(Query("max by (provider, state) (carillon_breaker_tenants)", "{{provider}}: {{state}}"),),
            ),
            Panel(
                title="Calls to providers, p95",
                about="How long they take.",
                queries=(Query(quantile(0.95, "carillon_provider_call_seconds", "provider"), "{{provider}}"),),
                unit=SECONDS,
            ),
        ),
    ),
    Row(
        title="Latency",
        panels=(
            Panel(
                title="From acceptance to the provider's yes",
                about="Of every message that was sent, fall-backs and escalations included.",
                queries=quantiles("carillon_accepted_to_sent_seconds"),
                unit=SECONDS,
            ),
            Panel(
                title="The same by channel, p95",
                about="Which channel is slow.",
                queries=(Query(quantile(0.95, "carillon_accepted_to_sent_seconds", "channel"), "{{channel}}"),),
                unit=SECONDS,
            ),
            Panel(
                title="From acceptance to delivery",
                about="Until the far side said that it arrived; not every channel does.",
                queries=quantiles("carillon_accepted_to_delivered_seconds"),
                unit=SECONDS,
            ),
        ),
    ),
)
