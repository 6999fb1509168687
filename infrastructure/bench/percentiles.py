"""Percentiles of latencies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Latencies in milliseconds. Each one was measured: none is interpolated."""

    p50: float
    p95: float
    p99: float
    max: float


def percentiles(seconds: Iterable[float]) -> Percentiles | None:
    """Find the nearest-rank percentiles; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None

    def at(percent: int) -> float:
        rank = math.ceil(len(ordered) * percent / 100)
        return round(ordered[rank - 1] * 1000, 2)

    return Percentiles(p50=at(50), p95=at(95), p99=at(99), max=at(100))
