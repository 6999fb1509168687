"""How many events the steps took at once, as the runtime's own metrics tell it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_SAMPLE = re.compile(r'^carillon_step_set_size_(sum|count)\{step="([^"]+)"\} (\S+)$', re.MULTILINE)

Sums = Mapping[str, tuple[float, float]]
"""Per step: how many events, in how many sets."""


def parse(text: str) -> Sums:
    """Read the sums in Prometheus's text format."""
    found: dict[str, list[float]] = {}
    for kind, step, value in _SAMPLE.findall(text):
        found.setdefault(step, [0.0, 0.0])[kind == "count"] = float(value)
    return {step: (events, sets) for step, (events, sets) in found.items()}


def averages(before: Mapping[int, Sums], after: Mapping[int, Sums]) -> dict[str, float]:
    """Divide what came in between, over the processes that told both times; a step that took nothing has no average."""
    events: Counter[str] = Counter()
    sets: Counter[str] = Counter()
    for pid in before.keys() & after.keys():
        for step, (events_after, sets_after) in after[pid].items():
            events_before, sets_before = before[pid].get(step, (0.0, 0.0))
            events[step] += round(events_after - events_before)
            sets[step] += round(sets_after - sets_before)
    return {step: round(events[step] / sets[step], 1) for step in sorted(sets) if sets[step]}
