"""The version is told alike everywhere."""

from __future__ import annotations

import tomllib
from pathlib import Path

from click.testing import CliRunner

from infrastructure.cli.main import main
from shared.version import VERSION

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_command_line_tells_the_version_of_the_project() -> None:
    said = CliRunner().invoke(main, ["--version"])

    assert said.exit_code == 0, said.output
    assert VERSION in said.output
    assert tomllib.loads(PROJECT.read_text())["project"]["version"] == VERSION
