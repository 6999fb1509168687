"""Try the whole specification for longer: more cases of each operation, and sequences of operations.

python -m tests.specification --cases 2000 --seed 7
"""

from __future__ import annotations

import json
import logging
import random
import sys
from typing import Any

import click

from infrastructure.openapi.generate import FILE
from tests.postgres import PostgresForTests
from tests.specification import strangers
from tests.specification.instance import Instance, in_a_thread
from tests.specification.people import Operator


@click.command()
@click.option("--cases", default=200, show_default=True, help="So many of each operation.")
@click.option("--seed", default=None, type=int, help="The same seed tries the same; any if it is left out.")
@click.option("--path", default=None, help="At this address alone.")
def main(cases: int, seed: int | None, path: str | None) -> None:
    """Ask an instance of its own everything that the specification allows, and much that it does not."""
    logging.disable(logging.WARNING)
    chosen = seed if seed is not None else random.SystemRandom().randrange(2**32)
    written = json.loads(FILE.read_text(encoding="utf-8"))
    postgres = PostgresForTests()
    postgres.start()
    try:
        with in_a_thread(postgres) as instance:
            document = strangers.prepared(written, Operator(instance).settle().by_operation())
            found = _try(document, instance, strangers.Effort(cases=cases, seed=chosen, is_long=True), path)
    finally:
        postgres.stop()
    click.echo(f"{len(found)} complaints; --seed {chosen} tries the same again.")
    sys.exit(1 if found else 0)


def _try(document: dict[str, Any], instance: Instance, effort: strangers.Effort, path: str | None) -> list[str]:
    found: list[str] = []
    for one in strangers.paths_of(document) if path is None else [path]:
        found += _told(one, strangers.complaints(strangers.at(document, one), instance, effort))
    if path is None:
        whole = {**document, "paths": {one: document["paths"][one] for one in strangers.paths_of(document)}}
        sequences = strangers.Effort(cases=effort.cases, seed=effort.seed, is_long=True, in_sequences=True)
        found += _told("sequences", strangers.complaints(whole, instance, sequences))
    return found


def _told(what: str, complaints: list[str]) -> list[str]:
    click.echo(f"{'FAILED' if complaints else 'passed'}  {what}")
    for complaint in complaints:
        click.echo(complaint)
    return complaints


if __name__ == "__main__":
    main()
