"""Bugs in the choice among several providers of one channel."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FAILOVER = "tests/contract/test_failover.py"
CHOICES = "tests/integration/test_choices.py"
LINES = "tests/unit/test_lines.py"
HEALTH = "tests/unit/test_health.py"

PLANTED = (
    Mutant(
        name="weights-ignored",
        breaks="Each of several providers gets its share.",
        file="shared/step/lines.py",
        text=" / line.weight)",
        instead=")",
        looks_at=(LINES,),
    ),
    Mutant(
        name="choice-kept-to-itself",
        breaks="Every decision has a reason that can be read: why this provider, and not the first.",
        file="shared/step/attempting.py",
        text='choice = "" if held.withheld_reason() else held.attempt.choice',
        instead='choice = ""',
        looks_at=(CHOICES,),
    ),
    Mutant(
        name="the-set-never-chooses-again",
        breaks="What is heard while a set waits for room changes where the rest of it goes.",
        file="shared/step/delivery.py",
        text="if self._means.choosing.heard != heard and moves < len(self._means.choosing.lines):",
        instead="if False:",
        looks_at=(FAILOVER,),
    ),
    Mutant(
        name="trouble-ignored",
        breaks="Traffic moves away from a provider that is slow.",
        file="shared/step/choosing.py",
        text="if not trouble or (line is order[0] and is_trial(one, line)):",
        instead="if True:",
        looks_at=(FAILOVER,),
    ),
    Mutant(
        name="no-trials",
        breaks="A provider that is well again gets its share back by itself.",
        file="shared/step/choosing.py",
        text='f"{line.name} {one.command.attempt}") <= TRIALS',
        instead='f"{line.name} {one.command.attempt}") <= 0',
        looks_at=(FAILOVER,),
    ),
    Mutant(
        name="waits-for-the-last-breaker",
        breaks="With every breaker open, a command waits for the one that may be tried first.",
        file="shared/step/choosing.py",
        text="min(waits, key=lambda wait: wait[0])",
        instead="max(waits, key=lambda wait: wait[0])",
        looks_at=(FAILOVER,),
    ),
    Mutant(
        name="copy-puts-off-the-probe",
        breaks="A copy of the command that probes a provider does not put it off.",
        file="shared/step/choosing.py",
        text="if key in chosen.probes:",
        instead="if False:",
        looks_at=("tests/integration/test_saga_end_to_end.py",),
    ),
    Mutant(
        name="trouble-for-ever",
        breaks="What was wrong with a provider is forgotten when it is old.",
        file="shared/step/health.py",
        text="if now - at <= MEMORY_SECONDS)",
        instead="if at)",
        looks_at=(HEALTH,),
    ),
)
