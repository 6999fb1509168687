"""The dashboard of the service level: whether it is met, how fast the budget burns, and why."""

from __future__ import annotations

from infrastructure.grafana.panels import PER_SECOND, SECONDS, SHARE, Panel, Query, Row
from infrastructure.grafana.queries import quantiles, rate
from infrastructure.prometheus.rules import MISSES, OBJECTIVE
from shared.metrics import IN_TIME_SECONDS

LEVEL = "carillon_service_level_total"
SOON = f'le="{float(IN_TIME_SECONDS)}"'
IN_TIME, JUDGED = 'result="in_time"', 'result!="refused"'
SERVICE_LEVELS = (
    Row(
        title=f"{OBJECTIVE * 100:g} % are with a provider within 10 s of when they are due",
        panels=(
            Panel(
                title="In time, in the time shown",
                about="What the recipient's side refused for good is not counted.",
                queries=(
                    Query(
                        f"sum(increase({LEVEL}{{{IN_TIME}}}[$__range])) / sum(increase({LEVEL}{{{JUDGED}}}[$__range]))",
                        "in time",
                    ),
                ),
                unit=SHARE,
                kind="stat",
            ),
            Panel(
                title="What is left of the budget of 30 days",
                about="Below zero the objective is missed.",
                queries=(
                    Query(
                        f"1 - (1 - sum(increase({LEVEL}{{{IN_TIME}}}[30d])) / sum(increase({LEVEL}{{{JUDGED}}}[30d])))"
                        f" / {1 - OBJECTIVE:g}",
                        "left",
                    ),
                ),
                unit=SHARE,
                kind="stat",
            ),
            Panel(
                title="Alerts that fire",
                about="Each has an entry in docs/runbook.md.",
                queries=(Query('count(ALERTS{alertname=~"Carillon.*", alertstate="firing"}) or vector(0)', "firing"),),
                kind="stat",
            ),
            Panel(
                title="How fast the budget burns",
                about="1 uses it up in 30 days. A page: 14.4 over an hour, or 6 over six; a ticket: 3 over a day.",
                queries=tuple(
                    Query(f"{MISSES}{window} / {1 - OBJECTIVE:g}", window) for window in ("5m", "1h", "6h", "1d", "3d")
                ),
                width=12,
            ),
            Panel(
                title="What the misses are",
                about="Late, given up after all tries, expired, or unknown; refused beside them.",
                queries=(Query(rate(LEVEL, "result"), "{{result}}"),),
                unit=PER_SECOND,
                width=12,
            ),
        ),
    ),
    Row(
        title="Where the time goes",
        panels=(
            Panel(
                title="Sent within 10 s, by channel",
                about="Of all that was sent.",
                queries=(
                    Query(
                        f"{rate('carillon_accepted_to_sent_seconds_bucket', 'channel', where=SOON)}"
                        f" / {rate('carillon_accepted_to_sent_seconds_count', 'channel')}",
                        "{{channel}}",
                    ),
                ),
                unit=SHARE,
                width=12,
            ),
            Panel(
                title="From acceptance to the provider's yes",
                about="Of every message that was sent.",
                queries=quantiles("carillon_accepted_to_sent_seconds"),
                unit=SECONDS,
                width=12,
            ),
        ),
    ),
)
