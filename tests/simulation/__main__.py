"""The simulation by hand: one seed with its story, or many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

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
@click.option("--everything", is_flag=True, help="Tell also what was only read.")
def main(seed: int | None, seeds: range, processes: int, *, everything: bool) -> None:
    """Let everything go wrong that can, and see whether the promises hold."""
    if seed is not None:
        verdict = run_seed(seed, everything=everything, with_story=True)
        click.echo(verdict.tell())
        sys.exit(1 if verdict.broken else 0)
    failed = 0
    for verdict in _run(seeds, processes):
        failed += 1
        click.echo(verdict.tell(in_short=True) + "\n")
    click.echo(f"{len(seeds)} seeds, {failed} with a broken promise")
    sys.exit(1 if failed else 0)


def _run(seeds: range, processes: int) -> Iterator[Verdict]:
    if processes == 1:
        yield from _failing(seeds)
        return
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        for verdicts in pool.map(_failing_list, chunks):
            yield from verdicts


def _failing(seeds: range) -> Iterator[Verdict]:
    for seed in seeds:
        verdict = run_seed(seed)
        if verdict.broken:
            yield verdict


def _failing_list(seeds: range) -> list[Verdict]:
    return list(_failing(seeds))


if __name__ == "__main__":
    main()
