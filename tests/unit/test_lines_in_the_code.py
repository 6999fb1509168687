"""Every line that our code writes to the log: a sentence that stays the same, and fields that a line may carry."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from infrastructure.prometheus.generate import ROOT
from shared import logs

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def lines() -> Iterator[Any]:
    """Find them."""
    for folder in ("shared", "functions", "infrastructure"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and _is_line(node):
                    yield pytest.param(node, id=f"{path.relative_to(ROOT)}:{node.lineno}")


def _is_line(node: ast.Call) -> bool:
    called = node.func
    return (
        isinstance(called, ast.Attribute)
        and called.attr in LEVELS
        and isinstance(called.value, ast.Name)
        and called.value.id in ("log", "_log", "logger")
    )


def test_the_lines_are_found() -> None:
    assert len(list(lines())) > 40


@pytest.mark.parametrize("line", list(lines()))
def test_a_line_is_a_sentence_with_fields_and_never_a_text_that_was_put_together(line: ast.Call) -> None:
    message = line.args[0]

    assert not isinstance(message, ast.JoinedStr | ast.BinOp)


@pytest.mark.parametrize("line", list(lines()))
def test_a_line_names_only_fields_that_are_written(line: ast.Call) -> None:
    (extra,) = [word.value for word in line.keywords if word.arg == "extra"] or [ast.Dict(keys=[], values=[])]
    assert isinstance(extra, ast.Dict)

    named = {key.value for key in extra.keys if isinstance(key, ast.Constant)}

    assert named <= logs._ALLOWED
