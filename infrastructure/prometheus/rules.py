"""The rules: how the service level is measured, and what is worth waking somebody for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.metrics import IN_TIME_SECONDS

OBJECTIVE = 0.995
"""Of all notifications that could be sent, so many are with a provider in time."""

RUNBOOK = "docs/runbook.md"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
MISSES = "carillon:service_level_misses:ratio_rate"
COUNT = "carillon:service_level_misses:increase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """Misses come so many times faster than the objective allows, over a long window and still over a short one.

    `fewest` misses in the long window make it worth a call: at night one of three is no outage.
    """

    long: str
    short: str
    factor: float
    fewest: int = 0

    def expression(self) -> str:
        """Write it."""
        ratio = round(self.factor * (1 - OBJECTIVE), 6)
        parts = [f"{MISSES}{self.long} > {ratio}", f"{MISSES}{self.short} > {ratio}"]
        if self.fewest:
            parts.append(f"{COUNT}{self.long} >= {self.fewest}")
        return "(" + " and ".join(parts) + ")"


# The windows and factors of the Site Reliability Workbook, chapter 5: 2 % of a month's budget in an hour, 5 % in six;
# and 10 % in one day, or in three.
FAST = (Burn(long="1h", short="5m", factor=14.4, fewest=10), Burn(long="6h", short="30m", factor=6, fewest=10))
SLOW = (Burn(long="1d", short="2h", factor=3), Burn(long="3d", short="6h", factor=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is worth a call (`page`) or a look tomorrow (`ticket`)."""

    name: str
    expression: str
    lasts: str = "0m"
    severity: str
    summary: str
    description: str

    def rule(self) -> dict[str, Any]:
        """Write it as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasts,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOK}#{self.name.lower()}",
            },
        }


_LEVEL = f"{OBJECTIVE * 100:g} % are with a provider within {IN_TIME_SECONDS} s of when they are due"

ALERTS = (
    Alert(
        name="CarillonServiceLevelBurnsFast",
        expression=" or ".join(burn.expression() for burn in FAST),
        lasts="2m",
        severity="page",
        summary="Notifications are late or lost to their providers",
        description=f"At this rate the month's budget is gone in days: {_LEVEL}.",
    ),
    Alert(
        name="CarillonServiceLevelBurnsSlowly",
        expression=" or ".join(burn.expression() for burn in SLOW),
        lasts="15m",
        severity="ticket",
        summary="More notifications are late than the service level allows",
        description=f"The month's budget will not last: {_LEVEL}.",
    ),
    Alert(
        name="CarillonNoProgress",
        expression=(
            "(sum(increase(carillon_notifications_accepted_total[10m])) > 0"
            " unless sum(increase(carillon_notifications_ended_total[10m])) > 0)"
            " and (max(carillon_sagas_stalled) > 0 or max(carillon_swept_seconds_ago) > 120)"
        ),
        lasts="5m",
        severity="page",
        summary="Notifications are accepted, and none ends",
        description="Processes may be up: a queue has no consumer, a source stands still, a sweep hangs.",
    ),
    Alert(
        name="CarillonSagasStuck",
        expression="max(carillon_sagas_stuck) > 0",
        lasts="5m",
        severity="page",
        summary="{{ $value }} notifications have not moved for half an hour",
        description="The sweep has published what they are owed six times, and no step has done it.",
    ),
    Alert(
        name="CarillonSweepSilent",
        expression="min(carillon_swept_seconds_ago) > 60",
        lasts="2m",
        severity="page",
        summary="Nobody has swept for {{ $value | humanizeDuration }}",
        description="Nothing that was lost on the way is brought back, and nothing that is due later begins.",
    ),
    Alert(
        name="CarillonBacklogNearLimit",
        expression="max(carillon_backlog) > 0.8 * max(carillon_backlog_limit)",
        lasts="2m",
        severity="page",
        summary="{{ $value }} notifications are under way: the intake is about to say 503",
        description="More than four fifths of INTAKE_BACKLOG_MAX wait.",
    ),
    Alert(
        name="CarillonBreakerOpen",
        expression=('max by (channel, provider) (max_over_time(carillon_breaker_tenants{state="open"}[2m])) > 0'),
        lasts="5m",
        severity="page",
        summary="The breaker of {{ $labels.provider }} has been open for minutes",
        description="It fails its probes, too. What is for {{ $labels.channel }} waits, or goes elsewhere.",
    ),
    Alert(
        name="CarillonDeadLetters",
        expression="sum by (kind) (increase(carillon_dead_letters_total[15m])) > 0",
        severity="ticket",
        summary="There are new dead letters: {{ $labels.kind }}",
        description="Each needs a person: to mend the cause and replay it, or to discard it.",
    ),
    Alert(
        name="CarillonUnwatched",
        expression="absent(carillon_backlog_limit)",
        lasts="5m",
        severity="page",
        summary="No process of Carillon is scraped",
        description="Nothing runs, or Prometheus does not reach it: every other alert is silent for want of figures.",
    ),
)


def groups() -> list[dict[str, Any]]:
    """List the groups of rules as Prometheus reads them."""
    level = [rule for window in WINDOWS for rule in _records(window)]
    return [
        {"name": "carillon-service-level", "rules": level},
        {"name": "carillon-alerts", "rules": [alert.rule() for alert in ALERTS]},
    ]


def _records(window: str) -> list[dict[str, Any]]:
    judged = f'sum(rate(carillon_service_level_total{{result!="refused"}}[{window}]))'
    in_time = f'sum(rate(carillon_service_level_total{{result="in_time"}}[{window}]))'
    missed = f'sum(increase(carillon_service_level_total{{result!~"in_time|refused"}}[{window}]))'
    return [
        {"record": f"{MISSES}{window}", "expr": f"1 - {in_time} / {judged}"},
        {"record": f"{COUNT}{window}", "expr": missed},
    ]
