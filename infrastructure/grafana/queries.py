"""Questions to Prometheus that many panels ask."""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure.grafana.panels import Query

QUANTILES = (0.5, 0.95, 0.99)


def rate(metric: str, *by: str, where: str = "", window: str = "$__rate_interval") -> str:
    """Ask how often a second, over all processes."""
    grouped = f" by ({', '.join(by)})" if by else ""
    return f"sum{grouped} (rate({metric}{{{where}}}[{window}]))"


def quantiles(metric: str, where: str = "", of: Sequence[float] = QUANTILES) -> tuple[Query, ...]:
    """Ask for quantiles of a histogram, over all processes."""
    return tuple(
        Query(f"histogram_quantile({one}, {rate(f'{metric}_bucket', 'le', where=where)})", f"p{one * 100:g}")
        for one in of
    )


def quantile(one: float, metric: str, *by: str, where: str = "") -> str:
    """Ask for one quantile of a histogram for each value of some labels."""
    return f"histogram_quantile({one}, {rate(f'{metric}_bucket', 'le', *by, where=where)})"
