"""What Prometheus and Grafana read is what the code says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from infrastructure.grafana import generate as grafana
from infrastructure.grafana.panels import COLUMNS, SOURCE
from infrastructure.prometheus import generate as prometheus
from infrastructure.prometheus.rules import ALERTS, groups
from shared.metrics import described

ROOT = prometheus.ROOT
DASHBOARDS = sorted((ROOT / "infrastructure" / "grafana" / "dashboards").glob("*.json"))
SUFFIXES = re.compile(r"_(bucket|count|sum)$")


def known_series() -> set[str]:
    """List the names under which something may be asked for."""
    return {one.name for one in described()}


def asked(expression: str) -> set[str]:
    """List the metrics of ours that a query names."""
    return {SUFFIXES.sub("", name) for name in re.findall(r"\bcarillon_\w+", expression)}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("path", [*prometheus.FILES, *grafana.FILES])
def test_the_files_say_what_the_code_says(path: str) -> None:
    render = {**prometheus.FILES, **grafana.FILES}[path]
    room = path.split("/")[1] if path.startswith("infrastructure") else "prometheus"

    assert (ROOT / path).read_text() == render(), f"run python -m infrastructure.{room}.generate"


def test_no_dashboard_is_there_that_nobody_generates() -> None:
    assert [path.stem for path in DASHBOARDS] == [
        "notification-function",
        "notification-overview",
        "notification-service-levels",
    ]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: str(path.stem))
def test_a_dashboard_is_what_grafana_takes(path: Any) -> None:
    dashboard = json.loads(path.read_text())
    places = [panel["gridPos"] for panel in dashboard["panels"]]

    assert dashboard["uid"] == path.stem
    assert dashboard["schemaVersion"] >= 39
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    covered = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(covered) == len(set(covered)), "panels lie upon each other"
    assert all(target["datasource"] == SOURCE for panel in panels(dashboard) for target in panel["targets"])
    assert all(panel["description"].endswith(".") for panel in panels(dashboard))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: str(path.stem))
def test_a_dashboard_asks_for_nothing_that_is_not_kept(path: Any) -> None:
    queries = [target["expr"] for panel in panels(json.loads(path.read_text())) for target in panel["targets"]]

    assert set().union(*map(asked, queries)) <= known_series()


def test_the_data_source_that_dashboards_name_is_provisioned() -> None:
    path = ROOT / "infrastructure/grafana/provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(path.read_text())["datasources"]

    assert {"type": source["type"], "uid": source["uid"]} == SOURCE


def test_a_rule_asks_for_nothing_that_is_not_kept() -> None:
    rules = [rule for group in groups() for rule in group["rules"]]

    assert set().union(*[asked(rule["expr"]) for rule in rules]) <= known_series()
    recorded = {rule["record"] for rule in rules if "record" in rule}
    named = {name for rule in rules for name in re.findall(r"carillon:[\w:]+", rule["expr"])}
    assert named <= recorded


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: str(alert.name))
def test_an_alert_has_an_entry_in_the_runbook(alert: Any) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()

    assert f"\n### {alert.name}\n" in runbook
    assert alert.rule()["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.name.lower()}"


def test_every_function_is_scraped() -> None:
    configuration = yaml.safe_load((ROOT / "infrastructure/prometheus/prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    services = {path.stem for path in (ROOT / "knative").rglob("services/*.yaml")}

    assert {target.removesuffix(":8080") for target in job["static_configs"][0]["targets"]} == services
