"""Panels of a dashboard, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "carillon-prometheus"}
COLUMNS = 24
HEIGHT = 8
SCHEMA = 41
"""Of Grafana 12; what is newer reads it, too."""

PER_SECOND, SECONDS, SHARE, COUNT = "reqps", "s", "percentunit", "short"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and how its lines are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A picture with a title that says what it shows, and a sentence that says what to think of it."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = COUNT
    kind: str = "timeseries"
    width: int = 8

    def document(self, number: int, left: int, top: int) -> dict[str, Any]:
        """Write it at its place."""
        names = "ABCDEFGHIJ"
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": {"h": HEIGHT, "w": self.width, "x": left, "y": top},
            "fieldConfig": {"defaults": {"unit": self.unit}, "overrides": []},
            "options": _OPTIONS[self.kind],
            "targets": [
                {
                    "refId": name,
                    "datasource": SOURCE,
                    "expr": query.expression,
                    "legendFormat": query.legend or "__auto",
                    "range": True,
                }
                for name, query in zip(names, self.queries, strict=False)
            ],
        }


_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels about one thing."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a reader chooses: one of the values that a label has."""

    name: str
    query: str
    is_several: bool = False

    def document(self) -> dict[str, Any]:
        """Write it."""
        return {
            "type": "query",
            "name": self.name,
            "datasource": SOURCE,
            "query": {"query": self.query, "refId": self.name},
            "refresh": 2,
            "sort": 1,
            "multi": self.is_several,
            "includeAll": self.is_several,
            "current": {"text": ["All"], "value": ["$__all"]} if self.is_several else {},
        }


def dashboard(name: str, title: str, rows: Sequence[Row], variables: Sequence[Variable] = ()) -> dict[str, Any]:
    """Write a dashboard: rows from the top, the panels of each from the left."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        head = {"id": len(panels) + 1, "type": "row", "title": row.title, "collapsed": False, "panels": []}
        panels.append({**head, "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top}})
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left = top + HEIGHT, 0
            panels.append(panel.document(len(panels) + 1, left, top))
            left += panel.width
        top += HEIGHT
    return {
        "uid": name,
        "title": title,
        "tags": ["carillon"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [variable.document() for variable in variables]},
        "annotations": {"list": []},
        "panels": panels,
    }
