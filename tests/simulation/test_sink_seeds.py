"""The same steps behind a sink: nothing is held back, and what a step could not take comes back to the sweep."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.running import run_seed
from tests.simulation.weather import Climate, Weather

SEEDS = 30
WHERE_A_BREAKER_OPENS = (46, 86, 93, 125)
"""Calm runs in which a look must be earlier than the row alone would have it."""

CALM = Weather(climate=Climate.CALM, seconds=60, latency_seconds=0.02, is_sink=True)
WANTED = {
    "an event came back to the sweep": 20,
    "a look was brought forward": 5,
    "killed after looks.look_by": 1,
    "a delivery became deferred": 50,
    "a delivery became retrying": 50,
    "the broker was emptied": 5,
}


def test_every_promise_is_kept_where_the_sweep_alone_brings_what_waits() -> None:
    seen: Counter[str] = Counter()

    for seed in range(SEEDS):
        verdict = run_seed(seed, is_sink=True)
        seen += verdict.seen
        if verdict.broken:
            pytest.fail(verdict.tell(in_short=True), pytrace=False)

    assert [f"{name}: {seen[name]} times" for name, least in WANTED.items() if seen[name] < least] == []


@pytest.mark.parametrize("seed", WHERE_A_BREAKER_OPENS)
def test_what_waits_for_a_breaker_is_brought_to_the_second(seed: int) -> None:
    verdict = run_seed(seed, weather=CALM)

    assert verdict.broken == []
    assert verdict.seen["a look was brought forward"] > 0
