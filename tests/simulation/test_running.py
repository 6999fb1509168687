"""What a run leaves when it is over."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.simulation import running
from tests.simulation.history import History
from tests.simulation.running import run_seed
from tests.simulation.world import World


class Forgetful(World):
    """A world in which somebody loses the word of a failure, in a circle that only the collector finds."""

    def run(self) -> History:
        """Run as ever, and lose it."""
        history = super().run()
        lost = self.loop.create_future()
        lost.set_exception(ValueError("lost"))
        circle: list[object] = [lost]
        circle.append(circle)
        return history


def test_a_run_that_is_over_leaves_no_world_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds: list[weakref.ref[World]] = []

    class Noted(World):
        def run(self) -> History:
            worlds.append(weakref.ref(self))
            return super().run()

    monkeypatch.setattr(running, "World", Noted)

    verdicts = [run_seed(seed) for seed in range(5)]

    assert [world() for world in worlds] == [None] * 5
    assert all(verdict.seen for verdict in verdicts)
    assert gc.isenabled()


def test_what_is_found_only_when_it_is_thrown_away_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "World", Forgetful)

    (sentence,) = run_seed(1).broken

    assert "Nothing of the simulation itself fails" in sentence
    assert "lost" in sentence
