"""The model of the saga says what the code says, and nothing in it goes unchecked."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from shared.statuses import DELIVERY_TRANSITIONS, NOTIFICATION_TRANSITIONS
from tests.model.check import MODEL, main
from tests.model.worlds import GUARDS, MISSING, PROMISES, WORLDS

SOURCE = MODEL.read_text()
NOT_IN_THE_CODE = "none"
"""The model's word for a delivery that does not exist yet."""


def pairs_of(letter: str) -> set[tuple[str, str]]:
    """Read the rows of one of the model's tables."""
    rows = re.findall(rf"\(old == {letter}_(\w+) && new == {letter}_(\w+)\)", SOURCE)
    return {(old.lower(), new.lower()) for old, new in rows}


def statuses_of(letter: str) -> set[str]:
    """Read which statuses the model knows."""
    (line,) = re.findall(rf"^mtype = {{ ({letter}_.*) }};", SOURCE, re.MULTILINE)
    return {name.strip()[2:].lower() for name in line.split(",")}


@pytest.mark.parametrize(("letter", "table"), [("N", NOTIFICATION_TRANSITIONS), ("D", DELIVERY_TRANSITIONS)])
def test_the_model_allows_exactly_what_the_code_allows_between_the_statuses_it_knows(
    letter: str, table: Mapping[str, frozenset[str]]
) -> None:
    known = statuses_of(letter)

    said = {pair for pair in pairs_of(letter) if NOT_IN_THE_CODE not in pair}

    assert known - {NOT_IN_THE_CODE} <= {str(status) for status in table}
    assert said == {(str(old), str(new)) for old in table for new in table[old] if {old, new} <= known}


def test_every_guard_of_the_model_is_taken_out_once_and_no_other() -> None:
    options = {"MAX_TRIES", "MAX_TAKEOVERS", "EPOCHS", "HOLD", "STALE_MATTERS"}
    in_the_model = set(re.findall(r"^#ifndef (\w+)", SOURCE, re.MULTILINE)) - options - {"OUTBOX", "DRAWN"}

    names = [guard.name for guard in GUARDS]

    assert sorted(names) == sorted(in_the_model)
    assert set(MISSING) <= set(names)


def test_every_promise_of_the_model_is_verified_in_a_world_and_broken_without_a_guard() -> None:
    in_the_model = set(re.findall(r'"broken: (\w+)', SOURCE)) | set(re.findall(r"^ltl (\w+)", SOURCE, re.MULTILINE))

    assert in_the_model == set(PROMISES)
    assert {promise for world in WORLDS for promise in world.promises} == set(PROMISES)
    assert {guard.breaks for guard in GUARDS} == set(PROMISES)


def test_without_spin_the_check_says_how_to_get_it_and_ends_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    code = main([])

    assert code == 2
    assert "apt-get install spin" in capsys.readouterr().out
