"""Five hundred runs in which everything goes wrong that can."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from shared.events import EventType
from shared.statuses import OutcomeKind
from shared.store.claims import Verdict as ClaimVerdict
from tests.simulation.mail import MOODS
from tests.simulation.running import run_seed
from tests.simulation.weather import Climate, Weather

SEEDS = 500
ROOT = Path(__file__).parents[2]

REACHED = ("sent", "delivered", "failed", "cancelled", "skipped", "expired", "unknown")
"""Every end that there is a way to."""

EFFECTS = (
    "acknowledge",
    "breakers.fail",
    "breakers.read",
    "claims.claim",
    "claims.record",
    "fan_outs.expand",
    "inbox.put",
    "intake.keep",
    "provider.send",
    "publish",
    "sagas.commit",
    "sagas.facts",
    "sagas.lock",
    "sagas.lock_due",
    "sagas.save",
    "unlocked.load",
    "unlocked.save",
)
WANTED: dict[str, int] = {
    **{f"a notification became {status}": 2 for status in REACHED},
    **{f"outcome: {kind}": 10 for kind in OutcomeKind},
    **{
        f"claim: {verdict}": 2
        for verdict in ClaimVerdict
        if verdict not in (ClaimVerdict.MISSING, ClaimVerdict.EXPIRED, ClaimVerdict.CAPPED)  # the last is no answer
    },
    **{f"the provider {mood}": 2 for mood in MOODS},
    **{f"killed {when} {effect}": 1 for when in ("before", "after") for effect in EFFECTS},
    **{f"published {kind}": 5 for kind in EventType if kind not in (EventType.TICK, EventType.BUNDLE)},
    "a bundle was published": 100,
    "a lease was taken over": 5,
    "a late success": 2,
    "a person changed their mind": 5,
    "claims.give_back": 1,
    "claims.postpone": 20,
    "breakers.try_probe": 10,
    "dead_letters.replay": 5,
    "sagas.hasten": 5,
    "the broker was emptied": 10,
    "the database went away": 10,
    "withheld: the user does not want this category here": 1,
    "withheld: a newer notification has taken its place": 5,
    **{f"called back when {status}": 10 for status in ("pending", "queued", "sent")},
    "two providers: the first was called": 100,
    "two providers: another took over": 10,
    "two providers: one came back": 5,
    "a mail came back": 20,
    "a mail came back before it was known to be sent": 10,
}
"""What so many seeds exercise, and how often at least."""


def missing(seen: Counter[str]) -> list[str]:
    """List what was to be exercised, and was not often enough."""
    return [f"{name}: {seen[name]} times, not {least}" for name, least in WANTED.items() if seen[name] < least]


@pytest.mark.slow
def test_every_promise_is_kept_whatever_goes_wrong() -> None:
    seen: Counter[str] = Counter()

    for seed in range(SEEDS):
        verdict = run_seed(seed)
        seen += verdict.seen
        if verdict.broken:
            pytest.fail(verdict.tell(in_short=True), pytrace=False)

    assert missing(seen) == []


def test_without_chaos_it_would_be_noticed_that_nothing_is_exercised() -> None:
    calm = Weather(climate=Climate.CALM, seconds=60, latency_seconds=0.02)
    seen: Counter[str] = Counter()

    for seed in range(20):
        seen += run_seed(seed, weather=calm).seen

    unexercised = " ".join(missing(seen))
    assert "killed before" in unexercised
    assert "a lease was taken over" in unexercised
    assert "the broker was emptied" in unexercised


def test_a_seed_is_the_same_run_in_another_process_with_other_hashes() -> None:
    def run(hash_seed: str) -> list[str]:
        command = [sys.executable, "-m", "tests.simulation", "--seed", "25", "--everything"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return told.stdout.splitlines()

    one, other = run("1"), run("2")

    assert len(one) > 100
    assert one == other


def test_two_seeds_are_two_runs() -> None:
    one, other = run_seed(1, with_story=True), run_seed(2, with_story=True)

    assert one.lines != other.lines
