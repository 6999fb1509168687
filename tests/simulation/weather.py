"""How bad it gets in one run: drawn once from the seed, so that seeds differ in kind and not only in detail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random


class Climate(StrEnum):
    """What kind of run it is, and so which promises can be checked most sharply."""

    CALM = "calm"  # nothing goes wrong but providers: everything is punctual, and nothing is sent twice
    NO_SWEEP = "no sweep"  # the broker keeps what it took: commit, publish, acknowledge must be enough, without a sweep
    STORM = "storm"  # everything that can go wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Probabilities of one run: per effect, per message, per minute."""

    climate: Climate
    seconds: float
    latency_seconds: float
    crash: float = 0.0
    stop: float = 0.0
    refused: float = 0.0
    unknown: float = 0.0
    message_lost: float = 0.0
    message_doubled: float = 0.0
    message_held: float = 0.0
    message_refused: float = 0.0
    message_kept_but_refused: float = 0.0
    cuts_per_minute: float = 0.0
    empties_per_minute: float = 0.0
    outages_per_minute: float = 0.0
    rollouts_per_minute: float = 0.0
    is_sink: bool = False
    """Whether messages go to a sink, as in the Broker's overlay: nothing is held back, and no loss is told."""

    @property
    def has_sweep(self) -> bool:
        """Tell whether the sweep runs."""
        return self.climate is not Climate.NO_SWEEP


def draw_weather(random: Random) -> Weather:
    """Draw the weather of a run."""
    lot = random.random()
    if lot < 0.1:
        return Weather(climate=Climate.CALM, seconds=60, latency_seconds=0.02)
    if lot < 0.3:
        return _without_sweep(random)
    return _storm(random)


def draw_weather_of_a_sink(random: Random) -> Weather:
    """Draw the weather of a run behind a sink, where there is always a sweep."""
    if random.random() < 0.2:
        return Weather(climate=Climate.CALM, seconds=60, latency_seconds=0.02, is_sink=True)
    return replace(_storm(random), is_sink=True)


def _without_sweep(random: Random) -> Weather:
    return Weather(
        climate=Climate.NO_SWEEP,
        seconds=random.uniform(60, 300),
        latency_seconds=random.choice([0.005, 0.05, 0.5]),
        crash=random.choice([0.02, 0.05, 0.1]),
        stop=random.choice([0.0, 0.02]),
        refused=random.choice([0.0, 0.05]),
        unknown=random.choice([0.0, 0.05, 0.1]),
        message_doubled=random.choice([0.0, 0.2]),
        message_held=random.choice([0.0, 0.3]),
        message_refused=random.choice([0.0, 0.1]),
        message_kept_but_refused=random.choice([0.0, 0.1]),
    )


def _storm(random: Random) -> Weather:
    def sometimes(*values: float) -> float:
        return random.choice([0.0, *values])

    return Weather(
        climate=Climate.STORM,
        seconds=random.uniform(60, 600),
        latency_seconds=random.choice([0.005, 0.05, 0.5]),
        crash=sometimes(0.01, 0.03, 0.06),
        stop=sometimes(0.01, 0.03),
        refused=sometimes(0.03, 0.1),
        unknown=sometimes(0.03, 0.1),
        message_lost=sometimes(0.1, 0.3),
        message_doubled=sometimes(0.1, 0.3),
        message_held=sometimes(0.2, 0.5),
        message_refused=sometimes(0.1, 0.3),
        message_kept_but_refused=sometimes(0.1, 0.3),
        cuts_per_minute=sometimes(0.5, 2),
        empties_per_minute=sometimes(0.3, 1),
        outages_per_minute=sometimes(0.2, 0.5),
        rollouts_per_minute=sometimes(0.5),
    )
