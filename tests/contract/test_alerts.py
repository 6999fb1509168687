"""The alerts call somebody when they should, and are silent when they should: promtool says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from infrastructure.prometheus.rules import ALERTS
from tests.prometheus_server import CONFIGURATION, ROOT, promtool

pytestmark = pytest.mark.prometheus

STORIES = sorted((ROOT / "tests" / "alerts").glob("*.yml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Put rules and stories into one folder, as promtool wants them."""
    for path in (*(CONFIGURATION / "rules").glob("*.yml"), *STORIES):
        name = path.name if path.parent.name == "rules" else f"story-{path.name}"
        shutil.copy(path, tmp_path / name)
    return tmp_path


def test_prometheus_takes_its_configuration_and_every_rule() -> None:
    said = promtool("check", "config", "prometheus.yml", folder=CONFIGURATION)

    assert "9 rules found" in said


@pytest.mark.parametrize("story", STORIES, ids=lambda path: str(path.stem))
def test_alerts_call_when_they_should_and_are_silent_when_they_should(folder: Path, story: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", f"story-{story.name}", folder=folder)


def test_every_alert_is_seen_to_call_and_to_be_silent() -> None:
    seen: dict[str, set[bool]] = {alert.name: set() for alert in ALERTS}
    for path in STORIES:
        for story in yaml.safe_load(path.read_text())["tests"]:
            for look in story["alert_rule_test"]:
                seen[look["alertname"]].add(bool(look["exp_alerts"]))

    assert seen == {alert.name: {True, False} for alert in ALERTS}
