"""The checks that a bug must get past, in the order of their cost, and how one of them is run on a tree."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 120.0
LONGEST_SECONDS = 1200.0
GOODBYE_SECONDS = 20.0
MOST_RUNS = 3

PYTEST = (sys.executable, "-m", "pytest", "-x", "-v", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0")
BYSTANDERS = ("--ignore=tests/unit/test_mutants.py",)
"""The test that every bug can be planted: it is red on every tree that has one, whatever the bug."""

SIMULATED = "tests/simulation/test_seeds.py::test_every_promise_is_kept_whatever_goes_wrong"
SEEDS = ("0..19", "20..79", "80..199")
"""Of the seeds of that test the first: in parts, because a run of many does not end with the first broken promise."""

ABOUT_THE_MACHINE = frozenset(
    {
        "test_bench_database.py",
        "test_bench_load.py",
        "test_embedded_postgres.py",
        "test_private_node.py",
        "test_processes.py",
        "test_proxy.py",
        "test_up.py",
    }
)
"""Tests of the one-machine runtime and the benchmark: no bug is planted there, and they take their time."""


class Unusable(Exception):
    """A check said neither yes nor no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a check said: the first test that was red, or None; how long it took; and whether `make test` runs it.

    A test that `hangs` is red too: whoever waits for it learns nothing.
    """

    red: str | None
    seconds: float
    is_counted: bool = True
    hangs: bool = False

    @property
    def is_catch(self) -> bool:
        """Whether a bug is caught by it: it is red, and everybody runs it."""
        return self.red is not None and self.is_counted


Command = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its commands, which run until one is red, and how to read which test that was.

    By `again` one red test is run once more, alone, where it may be red by chance.
    """

    name: str
    commands: Callable[[Path], Iterable[Command]]
    read: Callable[[str], str | None]
    again: Callable[[str], Check] | None = None
    is_part_of_make_test: bool = True


def first_red_test(said: str) -> str | None:
    """Read from what pytest said which test failed first; None when it was not a test that failed."""
    found = re.search(r"^(?:FAILED|ERROR) (tests/\S+::.+?)(?: - .*)?$", said, re.MULTILINE)
    return found[1] if found else None


def test_under_way(said: str) -> str | None:
    """Read which test had begun and not ended."""
    lines = [line for line in said.splitlines() if line.startswith("tests/")]
    if not lines or re.search(r" (PASSED|FAILED|ERROR|SKIPPED)\b", lines[-1]):
        return None
    return lines[-1].strip()


def first_broken_seed(said: str) -> str | None:
    """Read from what the simulation said which seed broke which promise."""
    found = re.search(r"^seed (\d+) \(.*?\): .*\nBROKEN  (.+?)[:.]", said, re.MULTILINE)
    if found:
        return f"{SIMULATED} (seed {found[1]}: {found[2]})"
    return f"{SIMULATED} (it cannot be run)" if "Traceback" in said else None


def integration_files(tree: Path) -> list[str]:
    """List the integration tests that are about promises."""
    found = sorted(path.name for path in (tree / "tests" / "integration").glob("test_*.py"))
    return [f"tests/integration/{name}" for name in found if name not in ABOUT_THE_MACHINE]


def pytest_check(name: str, paths: Callable[[Path], Iterable[str]]) -> Check:
    """Describe a check by pytest."""
    return Check(
        name=name,
        commands=lambda tree: [(*PYTEST, *BYSTANDERS, *paths(tree))],
        read=first_red_test,
        again=lambda red: looking_at([red]),
    )


def looking_at(paths: Iterable[str]) -> Check:
    """Describe a first look at some tests."""
    return pytest_check("look", lambda _: paths)


SIMULATION = Check(
    name="simulation",
    commands=lambda _: [(sys.executable, "-m", "tests.simulation", "--seeds", part) for part in SEEDS],
    read=first_broken_seed,
)
MODEL = Check(
    name="model",
    commands=lambda _: [(sys.executable, "-m", "tests.model.check")],
    read=lambda said: "tests.model.check" if "does not hold" in said else None,
    is_part_of_make_test=False,
)

USUAL: tuple[Check, ...] = (
    pytest_check("unit", lambda _: ["tests/unit"]),
    SIMULATION,
    pytest_check("contract", lambda _: ["tests/contract"]),
    pytest_check("integration", integration_files),
)
ALL: tuple[Check, ...] = (*USUAL, pytest_check("system", lambda _: ["tests/system"]), MODEL)


def run_surely(check: Check, tree: Path, limit_seconds: float) -> Result:
    """Run a check on a tree, and believe a red test only if it is red again, alone: some other may fail by chance.

    Raises:
        Unusable: it ended, and said neither yes nor no, or now this and now that.
    """
    for _ in range(MOST_RUNS):
        result = run(check, tree, limit_seconds)
        if result.red is None or check.again is None or result.hangs:
            return result
        if run(check.again(result.red), tree, LOOK_SECONDS).red:
            return result
    raise Unusable(f"{result.red} is red now and green then")


def run(check: Check, tree: Path, limit_seconds: float) -> Result:
    """Run a check on a tree, once.

    Raises:
        Unusable: it ended, and said neither yes nor no.
    """
    began, is_counted = time.monotonic(), check.is_part_of_make_test
    for command in check.commands(tree):
        code, said = _run(command, tree, limit_seconds - (time.monotonic() - began))
        seconds = time.monotonic() - began
        if code is None:
            hung = f"{test_under_way(said) or check.name} (did not end)"
            return Result(red=hung, seconds=seconds, is_counted=is_counted, hangs=True)
        if code:
            red = check.read(said) if code == 1 else None
            if red is None:
                raise Unusable(f"{check.name} ended with {code}:\n" + "\n".join(said.splitlines()[-15:]))
            return Result(red=red, seconds=seconds, is_counted=is_counted)
    return Result(red=None, seconds=time.monotonic() - began)


_running: set[subprocess.Popen[bytes]] = set()


def _run(command: Command, tree: Path, limit_seconds: float) -> tuple[int | None, str]:
    """Run one command in a tree; return its exit code, or None if it did not end in time, and what it said."""
    # Bytecode is not written: a bug of the same length, planted within a second, would be taken for the file of before.
    own = {"PYTHONPATH": str(tree), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment = {**os.environ, **own}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=tree, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        _running.add(process)
        try:
            code: int | None = process.wait(max(limit_seconds, 1.0))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
            _running.discard(process)
        said.seek(0)
        return code, said.read().decode(errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it started: first as Ctrl-C does, so that its fixtures tidy up."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.kill(process.pid, sign)
            try:
                process.wait(GOODBYE_SECONDS)
            except subprocess.TimeoutExpired:
                continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_all() -> None:
    """End whatever is under way."""
    for process in list(_running):
        end(process)
