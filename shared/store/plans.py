"""The plan of a saga as the notification's row keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from shared.saga import OnAmbiguous, Plan, RuleOf, Strategy
from shared.statuses import Channel

_FRESH = Plan()


_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    "category": str,
    "template": str,
    "template_version": int,
    "strategy": str,
    "passed": dict,
    "retry_seconds": list,
    "on_ambiguous": str,
    "unless_delivered_within_seconds": lambda within: {channel.value: seconds for channel, seconds in within.items()},
    "correction": str,
    "options": lambda options: {channel: dict(said) for channel, said in options.items()},
    "workflow": str,
}
"""How a field of a plan is written, where it is not what it is by default."""


def to_json(plan: Plan) -> dict[str, Any]:
    """Write a plan; what has its default is left out."""
    document: dict[str, Any] = {"steps": [step._value_ for step in plan.steps], "max_tries": plan.max_tries}
    for name, write in _WRITTEN.items():
        value = getattr(plan, name)
        if value != getattr(_FRESH, name):
            document[name] = write(value)
    return document


@lru_cache(maxsize=1000)
def from_text(text: str | None) -> Plan:
    """Read a plan from its JSON; a notification that is not routed yet has the default. Plans are few."""
    return from_json(json.loads(text) if text else None)


def from_json(document: dict[str, Any] | None) -> Plan:
    """Read a plan; a notification that is not routed yet has the default."""
    fresh = _FRESH
    if not document:
        return fresh
    within = document.get("unless_delivered_within_seconds", {})
    return Plan(
        category=document.get("category", fresh.category),
        template=document.get("template", fresh.template),
        template_version=document.get("template_version"),
        steps=tuple(Channel(step) for step in document["steps"]),
        strategy=Strategy(document.get("strategy", fresh.strategy)),
        passed=document.get("passed", {}),
        retry_seconds=tuple(document.get("retry_seconds", fresh.retry_seconds)),
        on_ambiguous=OnAmbiguous(document.get("on_ambiguous", fresh.on_ambiguous)),
        unless_delivered_within_seconds={Channel(channel): seconds for channel, seconds in within.items()},
        correction=document.get("correction"),
        options=document.get("options", {}),
        workflow=RuleOf(document.get("workflow", fresh.workflow)),
    )
