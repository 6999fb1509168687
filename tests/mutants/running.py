"""Who tries which bug in which tree, and what came of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants.checks import (
    LONGEST_SECONDS,
    LOOK_SECONDS,
    Check,
    Result,
    Unusable,
    end_all,
    looking_at,
    run,
    run_surely,
)
from tests.mutants.mutant import Mutant, Stale
from tests.mutants.tree import Tree

LEAST_SECONDS, TIMES_THE_CONTROL = 60.0, 4.0
"""A check may take so much longer on a tree with a bug than on one without."""

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one bug: what each check said that was run, in order, or why they could not be."""

    mutant: Mutant
    results: Mapping[str, Result] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str | None = None

    @property
    def caught_by(self) -> str | None:
        """Name the first test that was red."""
        return next((result.red for result in self.results.values() if result.is_catch), None)


class Workshop:
    """Some copies of the checkout, each used by one worker at a time."""

    def __init__(self, workers: int, checks: Sequence[Check]) -> None:
        self._workers = workers
        self._checks = checks
        self._trees: SimpleQueue[Tree] = SimpleQueue()
        self._limits = {check.name: LONGEST_SECONDS for check in checks}

    @classmethod
    @contextmanager
    def opened(cls, workers: int, checks: Sequence[Check]) -> Iterator[Workshop]:
        """Make the copies; they go when this ends, and with them whatever is under way."""
        with ExitStack() as copies:
            workshop = cls(workers, checks)
            for _ in range(workers):
                workshop._trees.put(copies.enter_context(Tree.copied()))
            yield workshop

    def control(self) -> Iterator[tuple[Check, Result]]:
        """Run every check on the tree as it is, the longest first, and remember how long each took.

        Raises:
            Unusable: a check said neither yes nor no.
        """

        def try_out(tree: Tree, check: Check) -> Result:
            return run(check, tree.folder, LONGEST_SECONDS)

        for check, result in self._each(self._checks[::-1], try_out):
            self._limits[check.name] = max(LEAST_SECONDS, TIMES_THE_CONTROL * result.seconds)
            yield check, result

    def trials(self, mutants: Sequence[Mutant], *, matrix: bool) -> Iterator[Trial]:
        """Try every bug, and give what came of each as it ends: by every check, or up to the first that is red."""
        attempt = self._by_every_check if matrix else self._up_to_the_first_red
        for _, trial in self._each(mutants, lambda tree, mutant: self._try(tree, mutant, attempt)):
            yield trial

    def _try(self, tree: Tree, mutant: Mutant, attempt: Callable[[Tree, Mutant], dict[str, Result]]) -> Trial:
        began = time.monotonic()
        try:
            with tree.planted(mutant):
                results = attempt(tree, mutant)
        except (Unusable, Stale) as reason:
            return Trial(mutant=mutant, seconds=time.monotonic() - began, failure=str(reason))
        return Trial(mutant=mutant, results=results, seconds=time.monotonic() - began)

    def _up_to_the_first_red(self, tree: Tree, mutant: Mutant) -> dict[str, Result]:
        look = run_surely(looking_at(mutant.looks_at), tree.folder, LOOK_SECONDS)
        if look.red:
            return {look.red.split("/")[1]: look}
        results: dict[str, Result] = {}
        for check in self._checks:
            result = results[check.name] = run_surely(check, tree.folder, self._limits[check.name])
            if result.red:
                break
        return results

    def _by_every_check(self, tree: Tree, mutant: Mutant) -> dict[str, Result]:
        return {check.name: run_surely(check, tree.folder, self._limits[check.name]) for check in self._checks}

    def _each(self, items: Sequence[Item], work: Callable[[Tree, Item], Found]) -> Iterator[tuple[Item, Found]]:
        """Do the work for every item, as many at once as there are trees; give what ends as it ends."""

        def with_a_tree(item: Item) -> Found:
            tree = self._trees.get()
            try:
                return work(tree, item)
            finally:
                self._trees.put(tree)

        pool = ThreadPoolExecutor(self._workers)
        try:
            under_way = {pool.submit(with_a_tree, item): item for item in items}
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        finally:  # also on Ctrl-C, and when one of them cannot go on
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            pool.shutdown()
