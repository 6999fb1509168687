"""`python -m tests.mutants`: plant one bug at a time, and see which check catches it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

import click

from tests.mutants import table
from tests.mutants.checks import ALL, USUAL, Unusable
from tests.mutants.mutant import Mutant, stale
from tests.mutants.planted import PLANTED
from tests.mutants.running import Trial, Workshop
from tests.mutants.tree import ROOT

ENOUGH = 0.95


@click.command()
@click.option("--only", "names", multiple=True, metavar="NAME", help="Plant this one; may be given several times.")
@click.option("--list", "is_list", is_flag=True, help="List what can be planted, and plant nothing.")
@click.option("--matrix", is_flag=True, help="Run every check on every bug, instead of up to the first that is red.")
@click.option("--all", "is_all", is_flag=True, help="Run the tests of whole processes and the model too.")
@click.option("--markdown", is_flag=True, help="Write the table for docs/mutants.md at the end.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="So many bugs at once.")
@click.option("--without-control", is_flag=True, help="Do not see first whether the unchanged tree passes.")
def main(
    names: Sequence[str],
    workers: int,
    *,
    is_list: bool,
    matrix: bool,
    is_all: bool,
    markdown: bool,
    without_control: bool,
) -> None:
    """Plant one bug at a time, and see which check catches it."""
    mutants = chosen(names)
    if is_list:
        for mutant in mutants:
            click.echo(f"{mutant.name:<46} {mutant.breaks}")
        return
    if os.environ.get("AMQP_URL"):
        workers = 1  # the tests empty the broker that it names
    checks = ALL if is_all else USUAL
    began = time.monotonic()
    with Workshop.opened(workers, checks) as workshop:
        if not without_control:
            check_control(workshop)
        trials = try_all(workshop, mutants, matrix=matrix)
    if markdown:
        click.echo("\n" + table.markdown(trials, checks, matrix=matrix) + "\n")
    click.echo(f"{table.summary(trials)}, in {(time.monotonic() - began) / 60:.0f} minutes")
    caught = sum(1 for trial in trials if trial.caught_by)
    sys.exit(0 if caught >= ENOUGH * len(trials) else 1)


def chosen(names: Sequence[str]) -> tuple[Mutant, ...]:
    """Choose what to plant, all of it if nothing is named; end here if something cannot be planted."""
    unknown = set(names) - {mutant.name for mutant in PLANTED}
    problems = [f"nothing is called {name}" for name in sorted(unknown)] + stale(PLANTED, ROOT)
    if problems:
        click.echo("\n".join(problems))
        sys.exit(2)
    return tuple(mutant for mutant in PLANTED if not names or mutant.name in names)


def check_control(workshop: Workshop) -> None:
    """See that the unchanged tree passes every check; end here if it does not."""
    try:
        for check, result in workshop.control():
            click.echo(f"without a bug: {check.name:<12} {result.seconds:>5.0f} s  {result.red or 'passes'}")
            if result.red:
                sys.exit(2)
    except Unusable as reason:
        click.echo(str(reason))
        sys.exit(2)


def try_all(workshop: Workshop, mutants: Sequence[Mutant], *, matrix: bool) -> list[Trial]:
    """Try every bug and tell what came of it; return them in the order of the table."""
    click.echo("\n" + table.HEAD)
    trials: dict[str, Trial] = {}
    for trial in workshop.trials(mutants, matrix=matrix):
        trials[trial.mutant.name] = trial
        click.echo(table.lines(trial) if matrix else table.line(trial))
    return [trials[mutant.name] for mutant in mutants]


if __name__ == "__main__":
    main()
