"""Workflows as YAML: what is wrong is told by its line, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import strict_yaml
from shared.statuses import Channel
from shared.strict_yaml import YamlMalformed
from shared.workflow_files import WorkflowsMalformed, read_file, read_workflows, stored
from shared.workflows import DEFAULT

FILE = """\
# Who hears of what.
workflows:
  order_shipped:
    category: orders
    channels: [push, email]
    retry_seconds: [1, 2.5]
  "*":
    channels:
      - websocket
      - email
  nothing_said:
"""


def test_a_file_says_which_workflow_each_event_type_has() -> None:
    found = read_workflows(FILE)

    assert found.tenants == ("default",)
    assert list(found.workflows) == ["order_shipped", "*", "nothing_said"]
    assert found.workflows["order_shipped"].channels == (Channel.PUSH, Channel.EMAIL)
    assert found.workflows["nothing_said"] == DEFAULT
    assert stored(found.workflows)["order_shipped"] == {
        "category": "orders",
        "channels": ["push", "email"],
        "retry_seconds": [1.0, 2.5],
    }


def test_json_is_read_as_well() -> None:
    found = read_workflows('{"workflows": {"a": {"category": "x", "channels": ["sms"]}}}')

    assert found.workflows["a"].channels == (Channel.SMS,)


def test_a_file_may_be_for_several_tenants_and_a_body_may_not() -> None:
    text = "tenants: [acme, shop]\nworkflows: {}\n"

    assert read_workflows(text, may_name_tenants=True).tenants == ("acme", "shop")
    with pytest.raises(WorkflowsMalformed, match="line 1: tenants"):
        read_workflows(text)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["line 1: body: it must say workflows:"]),
        ("- a", ["line 1: body: it must say workflows:"]),
        ("\nworkflow: {}", ["line 2: body: it must say workflows:"]),
        ("workflows: [a]", ["line 1: workflows: it must name event types"]),
        ("workflows: {}\nmore: 1", ["line 2: more: nothing is known by this name"]),
        ("workflows:\n  'a b': {}", ["line 2: workflows.a b: an event type has"]),
        ("workflows:\n  a: 5", ["line 2: workflows.a: It must be a JSON object"]),
        (
            "workflows:\n  a:\n    channels: [email,\n      pigeon]",
            ["line 4: workflows.a.channels[1]: Input should be"],
        ),
        (
            "workflows:\n  a:\n    colour: red\n  b:\n    retry_seconds: [0]\n    category: B",
            ["line 3: workflows.a.colour", "line 5: workflows.b.retry_seconds[0]", "line 6: workflows.b.category"],
        ),
        (
            "workflows:\n  a:\n    options:\n      email:\n        reply_to: me",
            ["line 5: workflows.a.options.email.reply"],
        ),
        ("workflows:\n  a:\n    strategy: escalate", ["line 2: workflows.a: The strategy escalate, and no other"]),
        ("workflows:\n  a: {}\n  a: {}", ["line 3: body: the key 'a' occurs twice"]),
        ("workflows:\n\ta: {}", ["line 2: body: "]),
        ("workflows: }", ["line 1: body: "]),
        ("a: &x 1\nb: *x", ["line 1: body: anchors and aliases"]),
        ("a: *x", ["line 1: body: anchors and aliases"]),
        ("workflows: !!python/object/apply:os.system [ls]", ["line 1: body: tags are not read"]),
        ("workflows: {}\n---\nworkflows: {}", ["line 2: body: "]),
        ("a: \x01", ["line 1: body: it holds characters"]),
        ("a: .nan", ["line 1: body: infinite is no number"]),
        ('a: "\\0"', ["line 1: body: a text holds"]),
        ("? [a, b]\n: 1", ["line 1: body: a key is a word"]),
        ("[" * 17, ["line 1: body: it is nested more than 16"]),
        ("{a: " * 20_000, ["line 1: body: it is nested more than 16"]),
        ("#" * 262_145, ["line 1: body: it has more than 262144 bytes"]),
        ("workflows:\n" + "".join(f"  a{number}:\n" for number in range(1_001)), ["1000 at most"]),
    ],
)
def test_what_is_wrong_is_told_by_its_line(text: str, faults: list[str]) -> None:
    with pytest.raises(WorkflowsMalformed) as caught:
        read_workflows(text)

    told = [str(fault) for fault in caught.value.faults]
    assert len(told) == len(faults)
    assert all(fault in line for fault, line in zip(faults, told, strict=True)), told


def test_many_faults_are_told_and_not_all_of_them() -> None:
    with pytest.raises(WorkflowsMalformed) as caught:
        read_workflows("workflows:\n" + "".join(f"  a{number}: 1\n" for number in range(100)))

    assert len(caught.value.faults) == 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("10:30", "10:30"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("yes it is", "yes it is"),
        ("'5'", "5"),
        ('"null"', "null"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("-7", -7),
        ("1.5", 1.5),
        ("2e3", 2000.0),
        ("<<", "<<"),
    ],
)
def test_a_word_is_what_it_looks_like(text: str, value: Any) -> None:
    found = strict_yaml.parse(f"a: {text}").value["a"]

    assert (found, type(found)) == (value, type(value))


def test_the_line_of_what_is_not_there_is_that_of_what_it_is_missing_in() -> None:
    found = strict_yaml.parse("a:\n  b:\n    - c\n    - d\n")

    assert [found.line_of(path) for path in (("a", "b", 1), ("a", "b", 7), ("a", "x"), ("x",), ())] == [4, 2, 1, 1, 1]


def test_a_broken_file_is_told_by_its_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yaml"
    path.write_text("workflows:\n  a: 5\n")

    with pytest.raises(WorkflowsMalformed, match=r"line 2: .*workflows\.yaml: workflows\.a: "):
        read_file(str(path))


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "workflows.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(WorkflowsMalformed, match=r"workflows\.yaml: it cannot be read"):
        read_file(str(path))


def test_the_error_of_bad_yaml_names_its_line() -> None:
    with pytest.raises(YamlMalformed, match="line 2: "):
        strict_yaml.parse("a: 1\nb: ]")
