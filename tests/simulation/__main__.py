"""The simulation by hand: one seed with its story, or many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import click

from tests.simulation.running import Verdict, run_seed

CHUNK = 50


class Range(click.ParamType[range]):
    """A range of seeds: 0..499, or how many."""

    name = "A..B"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """Read it."""
        first, _, last = str(value).rpartition("..")
        try:
            return range(int(first), int(last) + 1) if first else range(int(last))
        except ValueError:
            self.fail(f"{value!r} is no range such as 0..499, and no number", param, ctx)


@click.command()
@click.option("--seed", type=int, help="Run this one, and tell its story.")
@click.option(
    "--seeds", type=Range(), default="500", show_default=True, help="Run so many, or from the first to the last."
)
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="So many at once.")
@click.option("--sink", is_flag=True, help="Behind a sink, as in the overlay of the Broker.")
@click.option("--everything", is_flag=True, help="Tell also what was only read.")
def main(seed: int | None, seeds: range, processes: int, *, sink: bool, everything: bool) -> None:
    """Let everything go wrong that can, and see whether the promises hold."""
    if seed is not None:
        verdict = run_seed(seed, is_sink=sink, everything=everything, with_story=True)
        click.echo(verdict.tell())
        sys.exit(1 if verdict.broken else 0)
    failed = 0
    for verdict in _run(seeds, processes, is_sink=sink):
        failed += 1
        click.echo(verdict.tell(in_short=True) + "\n")
    click.echo(f"{len(seeds)} seeds, {failed} with a broken promise")
    sys.exit(1 if failed else 0)


def _run(seeds: range, processes: int, *, is_sink: bool) -> Iterator[Verdict]:
    failing = partial(_failing_list, is_sink=is_sink)
    if processes == 1:
        for seed in seeds:
            yield from failing(range(seed, seed + 1))
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for verdicts in pool.map(failing, chunks):
            yield from verdicts


def _failing_list(seeds: range, *, is_sink: bool) -> list[Verdict]:
    verdicts = (run_seed(seed, is_sink=is_sink) for seed in seeds)
    return [verdict for verdict in verdicts if verdict.broken]


if __name__ == "__main__":
    main()
