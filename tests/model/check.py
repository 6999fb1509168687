"""Verify the model of the saga with Spin, and show what each of its guards is for: `python -m tests.model.check`.

With the name of a guard it tells the counterexample that Spin finds without it. docs/model/README.md explains both.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.model.worlds import GUARDS, MISSING, PROMISES, WORLDS, Guard

MODEL = Path(__file__).resolve().parents[2] / "docs" / "model" / "saga.pml"
NEEDED = {"spin": "apt-get install spin, or https://spinroot.com", "gcc": "apt-get install gcc"}

SAFETY = ("-DSAFETY", "-DCOLLAPSE")
SHORTEST = ("-DSAFETY", "-DCOLLAPSE", "-DBFS")
LIVENESS = ("-DCOLLAPSE", "-DNFAIR=3")
MEMORY = "-DMEMLIM=4000"
DEPTH = "-m200000"
LONGEST_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What Spin found. `broken` is the promise that does not hold, `steps` the length of the counterexample."""

    states: int
    seconds: float
    broken: str | None = None
    steps: int = 0
    story: str = ""


class Inconclusive(Exception):
    """Spin did not look at everything, or did not run at all."""


def verify(flags: Sequence[str], *, fair: str | None = None, shortest: bool = False) -> Verdict:
    """Look at every state that the model has with these flags; with `fair`, at every fair cycle for that property.

    Raises:
        Inconclusive: the model does not compile, or there was too little depth, memory or time.
    """
    compiled = LIVENESS if fair else SHORTEST if shortest else SAFETY
    searched = ("-E", "-a", "-f", DEPTH) if fair else ("-E", DEPTH)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MODEL, folder)
        run(folder, "spin", "-a", *flags, MODEL.name)
        run(folder, "gcc", "-O1" if shortest else "-O2", "-w", *compiled, MEMORY, "-o", "pan", "pan.c")
        started = time.monotonic()
        said = run(folder, "./pan", *searched)
        seconds = time.monotonic() - started
        if re.search(r"too small|out of memory|aborted|max search depth", said) or "errors:" not in said:
            raise Inconclusive(said)
        states = int(number(r"(\d+) states, stored", said))
        if "errors: 0" in said:
            return Verdict(states=states, seconds=seconds)
        story = run(folder, "spin", *flags, "-t", "-T", "-B", MODEL.name)
        broken = re.search(r"broken: (\w+)", story)
        name = broken[1] if broken else fair if "cycle" in said else "the model itself"
        steps = int(number(r"at depth (\d+)", said))
        return Verdict(states=states, seconds=seconds, broken=name, steps=steps, story=told(story))


def run(folder: str, *command: str) -> str:
    """Run a program, and return what it said."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired as late:
        raise Inconclusive(f"{command[0]} took more than {LONGEST_SECONDS} s") from late
    if done.returncode and command[0] in NEEDED and "-t" not in command:
        raise Inconclusive(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def number(pattern: str, said: str) -> str:
    """Find a number in what a program said."""
    found = re.search(pattern, said)
    return found[1] if found else "0"


def told(story: str) -> str:
    """Keep what the model says of a counterexample, without what Spin says of it."""
    lines = [line for line in story.splitlines() if not re.match(r"\s*(spin:|Never claim|ltl )", line)]
    return "\n".join(lines)


def check_worlds(missing: Sequence[str] = MISSING) -> bool:
    """Print what holds in each world; return whether all of it does."""
    row = "{:<42} {:<43} {:>10}  {:<25} {:>7}"
    print(row.format("property", "world", "states", "result", "seconds"))
    holds = True
    for world in WORLDS:
        verdict = verify(world.flags(missing), fair=world.fair)
        holds &= verdict.broken is None
        result = "holds" if verdict.broken is None else f"BROKEN: {verdict.broken}, {verdict.steps} steps"
        promises = " ".join(world.promises)
        print(row.format(promises, world.name, f"{verdict.states:,}", result, f"{verdict.seconds:.1f}"), flush=True)
    return holds


def check_guards(guards: Sequence[Guard] = GUARDS) -> bool:
    """Print what breaks without each guard; return whether each broke what it should."""
    row = "{:<28} {:<10} {:>6} {:>10} {:>8}"
    print(row.format("without", "breaks", "steps", "states", "seconds"))
    is_needed = True
    for guard in guards:
        verdict = verify(guard.flags(), fair=guard.world.fair, shortest=guard.world.fair is None)
        is_needed &= verdict.broken == guard.breaks
        result = verdict.broken or "NOTHING"
        result += "" if verdict.broken == guard.breaks else f" (should be {guard.breaks})"
        figures = (f"{verdict.states:,}", f"{verdict.seconds:.1f}")
        print(row.format(guard.name, result, verdict.steps, *figures), flush=True)
    return is_needed


def tell(name: str) -> int:
    """Print the counterexample that there is without one guard."""
    guard = next((guard for guard in GUARDS if guard.name == name), None)
    if guard is None:
        print(f"there is no guard {name}: {' '.join(guard.name for guard in GUARDS)}")
        return 2
    verdict = verify(guard.flags(), fair=guard.world.fair, shortest=guard.world.fair is None)
    print(verdict.story)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Return 0 if everything holds and every guard is needed, 1 if not, 2 if nobody can say."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    for program in lacking:
        print(f"the model needs {program}: {NEEDED[program]}")
    if lacking:
        return 2
    try:
        if arguments:
            return tell(arguments[0])
        for name, sentence in PROMISES.items():
            print(f"{name:<10} {sentence}")
        print()
        holds = check_worlds()
        print()
        is_needed = check_guards()
    except Inconclusive as reason:
        print(f"inconclusive: {reason}")
        return 2
    print()
    for name in MISSING:
        print(f"the code has no {name} yet: python -m tests.model.check {name} tells what happens without it")
    print("everything holds, and every guard is needed" if holds and is_needed else "something does not hold")
    return 0 if holds and is_needed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
