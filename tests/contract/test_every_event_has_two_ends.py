"""Every kind of event is published by somebody and taken by somebody, and the doors of the functions say so."""

from __future__ import annotations

import ast
import re

import pytest

from infrastructure.local import manifests
from infrastructure.rabbitmq.generate import ROOT
from shared.broker import topology
from shared.events import EventType
from shared.serve import load
from shared.step import Step

KINDS = set(EventType) - {EventType.BUNDLE}
"""All but the one that carries others: the frame opens it, and no function sees it."""

SHORT = {kind.value.removeprefix("carillon."): kind for kind in KINDS if kind is not EventType.TICK}
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py"))
OF_A_SOURCE = {EventType.TICK}
FOR_PEOPLE_AND_TOOLS = {EventType.NOTIFICATION_FAILED}
"""It is parked on events.dlq, which no function reads."""


def label(function: str, word: str) -> set[EventType]:
    """Read one line of a function's label: the kinds of events that it names."""
    text = (ROOT / "functions" / function / "main.py").read_text()
    lines = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[1]
    said = re.search(rf"^{word}\s(.*?)(?=^\w|\Z)", lines, re.MULTILINE | re.DOTALL)
    assert said, f"functions/{function}/main.py has no line {word!r}"
    return {SHORT[name] for name in re.findall(r"[a-z_]+\.[a-z_]+", said[1]) if name in SHORT}


def written() -> set[EventType]:
    """List the kinds that the one writer of messages writes."""
    tree = ast.parse((ROOT / "shared" / "outbox.py").read_text())
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Kind"
    }
    return {EventType[name] for name in names}


def test_every_kind_of_event_is_given_by_a_function() -> None:
    given = {kind for function in FUNCTIONS for kind in label(function, "gives")}

    assert given == written() == KINDS - OF_A_SOURCE


def test_every_kind_of_event_is_taken_by_a_function_that_has_a_source() -> None:
    steps = [load(name).FUNCTION for name in sorted({source.service for source in manifests.read().queue_sources})]

    taken = {kind for step in steps if isinstance(step, Step) for kind in step.takes}

    assert taken == KINDS - OF_A_SOURCE - FOR_PEOPLE_AND_TOOLS


def test_whatever_a_step_cannot_take_the_sweep_takes_beside_its_ticks() -> None:
    (ticked,) = {source.service for source in manifests.read().ping_sources}

    assert ticked == "sweep"
    assert load("sweep").FUNCTION.takes == KINDS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_label_of_a_function_says_what_it_takes(function: str) -> None:
    definition = load(function).FUNCTION
    takes = definition.takes if isinstance(definition, Step) else frozenset()

    assert label(function, "takes") == takes - OF_A_SOURCE


def test_every_work_queue_has_one_source_and_the_parking_lot_none() -> None:
    queues = [source.queue for source in manifests.read().queue_sources]

    assert sorted(queues) == sorted(topology.WORK_QUEUES)
    assert topology.PARKING_LOT not in queues
