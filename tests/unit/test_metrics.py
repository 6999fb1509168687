"""What is counted: few things, each with a sentence, and never by whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import LABELS, Metrics


def collectors(metrics: Metrics) -> dict[str, Any]:
    """Find every metric by its name here."""
    found = {name: getattr(metrics, name) for name in dir(metrics) if not name.startswith("_")}
    return {name: value for name, value in found.items() if isinstance(value, Counter | Gauge | Histogram)}


ALL = collectors(Metrics())


def label_names(collector: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = collector._labelnames
    return names


@pytest.mark.parametrize("name", ALL)
def test_a_metric_has_a_sentence(name: str) -> None:
    [family] = ALL[name].describe()

    assert re.fullmatch(r"[A-Z].{10,}\.", family.documentation)


@pytest.mark.parametrize("name", ALL)
def test_a_metric_is_told_apart_only_by_what_is_bounded(name: str) -> None:
    assert set(label_names(ALL[name])) <= LABELS.keys()


def test_every_label_that_is_explained_is_used() -> None:
    assert {label for collector in ALL.values() for label in label_names(collector)} == LABELS.keys()


@pytest.mark.parametrize("name", ALL)
def test_a_metric_is_ours_and_says_its_unit(name: str) -> None:
    [family] = ALL[name].describe()

    assert family.name.startswith("carillon_")
    assert family.type != "histogram" or family.name.endswith(("_seconds", "_size"))


def test_every_metric_that_is_kept_is_shown() -> None:
    metrics = Metrics()
    for collector in collectors(metrics).values():
        names = label_names(collector)
        child = collector.labels(*["x"] * len(names)) if names else collector
        (getattr(child, "observe", None) or child.inc)(1)

    shown = {family.name for family in text_string_to_metric_families(metrics.render().decode())}

    assert shown == {collector.describe()[0].name for collector in ALL.values()}
    assert len(shown) > 10


def test_two_worlds_in_one_process_do_not_count_for_each_other() -> None:
    one, other = Metrics(), Metrics()
    one.accepted.inc()
    other.accepted.inc(2)

    assert b"carillon_notifications_accepted_total 1.0" in one.render()
    assert b"carillon_notifications_accepted_total 2.0" in other.render()
