"""How a provider is seen to be doing: what moves traffic away from it, and what brings it back."""

from __future__ import annotations

import pytest

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.step.health import MEMORY_SECONDS, Health

CUT = Outcome(kind=OutcomeKind.AMBIGUOUS, code="cut", provider_at_fault=True)
TAKEN = Outcome(kind=OutcomeKind.ACCEPTED, code="250")
NOBODY = Outcome(kind=OutcomeKind.PERMANENT, code="550")
BUSY = Outcome(kind=OutcomeKind.THROTTLED, code="421")


class Clock:
    """A clock that is turned."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def health(clock: Clock, *outcomes: Outcome, took: float = 0.1) -> Health:
    made = Health(clock)
    for outcome in outcomes:
        made.note([outcome], took)
    return made


@pytest.mark.parametrize(
    ("outcomes", "trouble"),
    [
        ([], ""),
        ([CUT], ""),
        ([CUT, CUT], "failed twice in a row"),
        ([CUT, CUT, CUT], "failed 3 times in a row"),
        ([CUT, TAKEN, CUT], ""),
        ([CUT, CUT, TAKEN], ""),
        ([CUT, CUT, NOBODY], ""),
        ([CUT, BUSY, CUT], "failed twice in a row"),
        ([BUSY, BUSY, BUSY], ""),
    ],
)
def test_a_provider_that_failed_twice_in_a_row_is_in_trouble(
    clock: Clock, outcomes: list[Outcome], trouble: str
) -> None:
    said = health(clock, *outcomes).trouble([])

    assert said == trouble


def test_one_cut_that_hits_many_letters_is_one_failure(clock: Clock) -> None:
    provider = Health(clock)

    provider.note([CUT] * 50, 0.1)

    assert provider.trouble([]) == ""


def test_failures_are_forgotten_when_they_are_old(clock: Clock) -> None:
    provider = health(clock, CUT, CUT)
    clock.seconds += MEMORY_SECONDS
    while_it_remembers = provider.trouble([])

    clock.seconds += 0.1

    assert (while_it_remembers, provider.trouble([])) == ("failed twice in a row", "")


@pytest.mark.parametrize(
    ("took", "others", "trouble"),
    [
        (4.2, [1.4], "is slow: 4.2 s a call"),
        (4.2, [5.0, 1.4], "is slow: 4.2 s a call"),
        (4.2, [1.5], ""),  # all are slow
        (2.0, [0.1], ""),  # that is not slow yet
        (4.2, [], ""),  # nobody knows whether another one is faster
    ],
)
def test_a_provider_is_slow_next_to_another_one(clock: Clock, took: float, others: list[float], trouble: str) -> None:
    provider = health(clock, TAKEN, took=took)

    said = provider.trouble([health(clock, TAKEN, took=seconds) for seconds in others])

    assert said == trouble


def test_a_provider_that_was_slow_is_well_again_after_some_fast_calls(clock: Clock) -> None:
    slow, other = health(clock, TAKEN, took=10), health(clock, TAKEN)
    fast_calls = 0

    while slow.trouble([other]):
        slow.note([TAKEN], 0.1)
        fast_calls += 1

    assert fast_calls == 5


def test_that_it_was_slow_is_forgotten_when_nobody_has_called_it_for_a_while(clock: Clock) -> None:
    slow, other = health(clock, TAKEN, took=10), health(clock, TAKEN)

    clock.seconds += MEMORY_SECONDS + 0.1
    after_a_while = slow.trouble([other])
    slow.note([TAKEN], 0.1)

    assert after_a_while == ""
    assert slow.call_seconds == 0.1
