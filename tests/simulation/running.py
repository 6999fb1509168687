"""Run seeds, and say what became of them."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation import story
from tests.simulation.history import History
from tests.simulation.invariants import broken_promises
from tests.simulation.record import record_of
from tests.simulation.weather import Weather, draw_weather_of_a_sink
from tests.simulation.world import World

SHORT_LINES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one seed: the promises that it broke, what it exercised, and its story."""

    seed: int
    climate: str
    broken: list[str]
    seen: Counter[str]
    lines: list[str]
    is_sink: bool = False

    def tell(self, *, in_short: bool = False) -> str:
        """Write the story, then the sentences that were broken, and how to see it again."""
        again = f"python -m tests.simulation --seed {self.seed}{' --sink' if self.is_sink else ''}"
        ends = [f"BROKEN  {sentence}" for sentence in self.broken] or ["Every promise was kept."]
        lines, left_out = self.lines, len(self.lines) - 2 * SHORT_LINES
        if in_short and left_out > 0:
            lines = [*lines[:SHORT_LINES], f"... {left_out} lines ...", *lines[-SHORT_LINES:]]
        return "\n".join([*lines, "", f"seed {self.seed} ({self.climate}): {again}", *ends])


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the processes log below an error out of the way: it costs more than the run."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def tidied_at_the_end() -> Iterator[None]:
    """Collect garbage once, when a run is over, and only what is of this run: looking all along costs far more.

    What is new is young as long as nobody collects. What complains when it is thrown away does so at one moment.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if was_enabled:
            gc.enable()


def run_seed(
    seed: int,
    *,
    weather: Weather | None = None,
    is_sink: bool = False,
    everything: bool = False,
    with_story: bool = False,
) -> Verdict:
    """Run one seed, behind a sink if told so. The story is written if it is asked for, or if a promise was broken."""
    if is_sink:
        weather = draw_weather_of_a_sink(Random(f"sink {seed}"))
    with quiet(), tidied_at_the_end():
        climate, history, broken, failures = _run(seed, weather)
    broken += [f"Nothing of the simulation itself fails: {failure}." for failure in failures]
    lines = story.tell(history, everything=everything) if broken or with_story else []
    return Verdict(seed=seed, climate=climate, broken=broken, seen=history.seen, lines=lines, is_sink=is_sink)


def _run(seed: int, weather: Weather | None) -> tuple[str, History, list[str], list[dict[str, Any]]]:
    """Run a world that is forgotten then; what it leaves is its history, and what the loop hears of as it goes."""
    world = World(seed, weather=weather)
    history = world.run()
    history.forget_traces()
    return world.weather.climate, history, broken_promises(record_of(world)), world.loop.failures
