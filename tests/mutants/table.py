"""What came of the bugs, in lines for people and in Markdown for docs/mutants.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.mutants.checks import Check
from tests.mutants.running import Trial

SURVIVED = "nothing"
LINE = "{:<46} {:<12} {:>5}  {}"
HEAD = LINE.format("planted", "caught by", "s", "the first test that is red")


def line(trial: Trial) -> str:
    """Write what came of one bug."""
    if trial.failure is not None:
        return LINE.format(trial.mutant.name, "no answer", f"{trial.seconds:.0f}", trial.failure)
    by = next((name for name, result in trial.results.items() if result.is_catch), SURVIVED)
    return LINE.format(trial.mutant.name, by, f"{trial.seconds:.0f}", trial.caught_by or trial.mutant.breaks)


def lines(trial: Trial) -> str:
    """Write what every check said of one bug."""
    said = [f"    {name:<12} {result.seconds:>5.0f}  {result.red or '-'}" for name, result in trial.results.items()]
    return "\n".join([line(trial), *said])


def markdown(trials: Sequence[Trial], checks: Sequence[Check], *, matrix: bool) -> str:
    """Write the table of all bugs."""
    columns = [check.name for check in checks] if matrix else ["the first test that is red"]
    rows = [["planted", "breaks", *columns], ["---"] * (2 + len(columns))]
    for trial in trials:
        reds = {name: result.red for name, result in trial.results.items()}
        cells = [_short(reds.get(name)) for name in columns] if matrix else [_short(trial.caught_by)]
        rows.append([f"`{trial.mutant.name}`", trial.mutant.breaks, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def summary(trials: Sequence[Trial]) -> str:
    """Count."""
    caught = sum(1 for trial in trials if trial.caught_by)
    return f"{len(trials)} planted, {caught} caught"


def _short(red: str | None) -> str:
    """Name a test without its folder and its parameters; a seed is named by what it breaks."""
    if red is None:
        return "-"
    _, _, test = red.partition("::")
    name, _, rest = test.partition(" (")
    return f"`{name.partition('[')[0]}`" + (f" ({rest}" if rest else "") if name else red
