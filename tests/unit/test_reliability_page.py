"""The page that says how promises are checked names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"


def test_every_test_that_the_page_names_is_there() -> None:
    there = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text()))

    assert len(named) >= 12
    assert named - there == set()


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/.]+)`", PAGE.read_text()))

    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
