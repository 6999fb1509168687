"""Every bug that `python -m tests.mutants` plants can be planted, and what the checks say of it is read rightly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants import checks, table
from tests.mutants.checks import Result
from tests.mutants.mutant import Mutant, Stale, stale
from tests.mutants.planted import PLANTED
from tests.mutants.running import Trial
from tests.mutants.tree import ROOT, Tree

PAGE = (ROOT / "docs" / "mutants.md").read_text()

NAMES = [mutant.name for mutant in PLANTED]


def bug(text: str = "a = 1", instead: str = "a = 2") -> Mutant:
    return Mutant(name="bug", breaks="It is one.", file="one.py", text=text, instead=instead, looks_at=())


def is_there(test: str) -> bool:
    """Tell whether there is a file of this name, with a test of this name where one is named."""
    path, _, name = test.partition("::")
    return (ROOT / path).is_file() and f"def {name}" in (ROOT / path).read_text()


def test_every_bug_can_be_planted() -> None:
    assert stale(PLANTED, ROOT) == []


def test_every_bug_has_a_name_of_its_own_a_sentence_and_tests_to_look_at() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert [name for name in NAMES if not re.fullmatch(r"[a-z0-9-]+", name)] == []
    assert [m.name for m in PLANTED if not m.breaks.endswith(".") or m.text == m.instead] == []
    assert [m.name for m in PLANTED if not m.looks_at] == []
    assert [(m.name, test) for m in PLANTED for test in m.looks_at if not is_there(test)] == []


@pytest.mark.parametrize("mutant", [m for m in PLANTED if m.file.endswith(".py")], ids=lambda mutant: mutant.name)
def test_a_bug_is_no_broken_file(mutant: Mutant) -> None:
    compile(mutant.planted_in((ROOT / mutant.file).read_text()), mutant.file, "exec")


@pytest.mark.parametrize("source", ["a = 3", "a = 1\na = 1"])
def test_a_bug_whose_text_is_not_there_exactly_once_is_named(source: str, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(source)

    with pytest.raises(Stale, match=r"bug: one\.py holds its text"):
        bug().planted_in(source)

    assert len(stale((bug(),), tmp_path)) == 1


def test_a_bug_goes_as_it_came_and_no_two_versions_of_a_file_are_of_one_second(tmp_path: Path) -> None:
    file, tree = tmp_path / "one.py", Tree(tmp_path)
    file.write_text("a = 1")

    seconds = []
    for _ in range(2):
        with tree.planted(bug()):
            assert file.read_text() == "a = 2"
            seconds.append(int(file.stat().st_mtime))
        seconds.append(int(file.stat().st_mtime))

    assert file.read_text() == "a = 1"
    assert len(set(seconds)) == 4


def test_the_page_names_every_bug_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE)

    assert rows == NAMES


def test_of_a_red_check_the_first_test_is_named() -> None:
    test = "tests/unit/test_a.py::test_b[in memory]"
    said = f"{test} FAILED [ 1%]\n\n=== short test summary info ===\nFAILED {test} - assert 1\n"

    assert checks.first_red_test(said) == test
    assert checks.first_red_test("ERROR tests/unit/test_a.py - ImportError") is None


def test_of_a_check_that_does_not_end_the_test_under_way_is_named() -> None:
    said = "tests/a.py::test_b PASSED [ 50%]\ntests/a.py::test_c "

    assert checks.test_under_way(said) == "tests/a.py::test_c"
    assert checks.test_under_way("tests/a.py::test_b PASSED [ 50%]") is None


def test_of_a_red_simulation_seed_and_promise_are_named() -> None:
    said = "...\n\nseed 12 (rough): python -m tests.simulation --seed 12\nBROKEN  202 means kept: it is nowhere.\n"

    assert checks.first_broken_seed(said) == f"{checks.SIMULATED} (seed 12: 202 means kept)"
    assert checks.first_broken_seed("200 seeds, 0 with a broken promise") is None


def test_a_bug_is_caught_only_by_a_check_that_everybody_runs() -> None:
    model = Result(red="tests.model.check", seconds=1, is_counted=False)

    survivor = Trial(mutant=bug(), results={"model": model})
    caught = Trial(mutant=bug(), results={"model": model, "unit": Result(red="tests/unit/a.py::test_b[c]", seconds=1)})

    assert table.summary([survivor, caught]) == "2 planted, 1 caught"
    assert table.markdown([caught], [], matrix=False).splitlines()[-1] == "| `bug` | It is one. | `test_b` |"


def test_a_command_that_says_neither_yes_nor_no_is_no_catch(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")

    with pytest.raises(checks.Unusable, match="look ended with 2"):
        checks.run(checks.looking_at(["test_broken.py"]), tmp_path, 60)


def test_a_test_that_is_red_by_chance_is_no_catch(tmp_path: Path) -> None:
    alone = checks.Check(name="alone", commands=lambda _: [("true",)], read=lambda _: None)
    check = checks.Check(name="all", commands=lambda _: [("false",)], read=lambda _: "a", again=lambda _: alone)

    with pytest.raises(checks.Unusable, match="red now and green then"):
        checks.run_surely(check, tmp_path, 60)


def test_what_does_not_end_in_time_is_red_and_ended(tmp_path: Path) -> None:
    check = checks.Check(name="slow", commands=lambda _: [("sleep", "600")], read=lambda _: None)

    assert checks.run(check, tmp_path, 0).red == "slow (did not end)"
