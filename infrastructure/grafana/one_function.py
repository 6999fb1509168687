"""The dashboard of one function, and of the processes that it runs in."""

from __future__ import annotations

from infrastructure.grafana.panels import PER_SECOND, SECONDS, Panel, Query, Row, Variable
from infrastructure.grafana.queries import quantile, quantiles, rate

OWN = 'function="$function"'
STEP = 'step="$function"'
HERE = 'instance=~"$instance"'
FUNCTION = (
    Row(
        title="Requests",
        panels=(
            Panel(
                title="Requests by answer",
                about="A triggered function answers 2xx or 503, and nothing else.",
                queries=(Query(rate("carillon_requests_total", "code", where=OWN), "{{code}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="How long a request takes",
                about="To the end of its answer; a batch lasts as long as its slowest event.",
                queries=quantiles("carillon_request_seconds", OWN),
                unit=SECONDS,
            ),
            Panel(
                title="Events by answer",
                about="Later: something of ours was down or busy, and the event comes again. Triggered functions only.",
                queries=(Query(rate("carillon_step_events_total", "answer", where=STEP), "{{answer}}"),),
                unit=PER_SECOND,
            ),
            Panel(
                title="Events at once",
                about="Sets grow with the load: that is what makes them cheap.",
                queries=quantiles("carillon_step_set_size", STEP, (0.5, 0.95)),
            ),
            Panel(
                title="Not confirmed by the broker",
                about="The sweep brings it later.",
                queries=(Query(rate("carillon_publish_refused_total", where=STEP), "refused"),),
                unit=PER_SECOND,
            ),
        ),
    ),
    Row(
        title="Its processes",
        panels=(
            Panel(
                title="Up",
                about="Whether Prometheus reaches them.",
                queries=(Query(f'up{{job="carillon", {HERE}}}', "{{instance}}"),),
            ),
            Panel(
                title="Event loop lag, p99",
                about="Who holds the loop up, holds up everybody in the process.",
                queries=(Query(quantile(0.99, "carillon_loop_lag_seconds", "instance", where=HERE), "{{instance}}"),),
                unit=SECONDS,
            ),
            Panel(
                title="Database connections",
                about="Held, and wanted: raise DATABASE_POOL_MAX when callers wait and Postgres has room.",
                queries=(
                    Query(f"sum by (instance) (carillon_database_connections{{{HERE}}})", "{{instance}}: held"),
                    Query(f"sum by (instance) (carillon_database_waiting{{{HERE}}})", "{{instance}}: waiting"),
                ),
            ),
            Panel(
                title="Waiting for a connection",
                about="Seconds of waiting in each second, over all callers, and how many had to.",
                queries=(
                    Query(
                        rate("carillon_database_wait_seconds_total", "instance", where=HERE), "{{instance}}: seconds"
                    ),
                    Query(rate("carillon_database_waits_total", "instance", where=HERE), "{{instance}}: callers"),
                ),
            ),
        ),
    ),
)

FUNCTION_VARIABLES = (
    Variable("function", "label_values(carillon_requests_total, function)"),
    Variable("instance", 'label_values(carillon_requests_total{function="$function"}, instance)', is_several=True),
)
