"""How often somebody may call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.limiting import LocalBuckets
from shared.rates import Rate, decide, parse_rate

TEN = Rate(calls=10, period_seconds=1)


@pytest.mark.parametrize(
    ("text", "calls", "seconds"), [("100/s", 100, 1), ("6000/m", 6000, 60), ("1/h", 1, 3600), ("1000000/s", 10**6, 1)]
)
def test_a_rate_is_calls_per_second_minute_or_hour(text: str, calls: int, seconds: int) -> None:
    rate = parse_rate(text)

    assert rate == Rate(calls=calls, period_seconds=seconds)
    assert str(rate) == text


def test_a_rate_may_be_off() -> None:
    assert parse_rate("off") is None


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "100", "100/d", "1.5/s", "100 / s", "1000001/s", "OFF", "٣/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="100/s"):
        parse_rate(text)


class Bucket:
    """One caller and a clock that is turned."""

    def __init__(self, rate: Rate) -> None:
        self.now, self.rate = 100.0, rate
        self.buckets = LocalBuckets(clock=lambda: self.now)

    def let_through(self, count: int, cost: int = 1) -> int:
        """Call so often; count what was let through."""
        return sum(self.buckets.take("caller", self.rate, cost).is_allowed for _ in range(count))


def test_all_calls_of_a_period_may_come_at_once_and_then_as_room_is_made() -> None:
    bucket = Bucket(TEN)

    at_once = bucket.let_through(15)
    bucket.now += 0.1
    later = bucket.let_through(15)
    bucket.now += 60
    after_a_rest = bucket.let_through(15)

    assert (at_once, later, after_a_rest) == (10, 1, 10)


def test_who_is_refused_is_told_when_to_come_again_and_then_may() -> None:
    bucket = Bucket(TEN)
    bucket.let_through(10)

    wait = bucket.buckets.take("caller", TEN, 3).wait_seconds
    bucket.now += wait - 0.01
    too_early = bucket.let_through(1, 3)
    bucket.now += 0.01

    assert wait == pytest.approx(0.3)
    assert (too_early, bucket.let_through(1, 3)) == (0, 1)


def test_a_refused_call_costs_nothing() -> None:
    bucket = Bucket(TEN)
    bucket.let_through(100)

    bucket.now += 0.5

    assert bucket.let_through(100) == 5


def test_what_is_left_is_counted_down_and_comes_back() -> None:
    bucket = Bucket(TEN)

    verdicts = [bucket.buckets.take("caller", TEN) for _ in range(3)]

    assert [verdict.remaining for verdict in verdicts] == [9, 8, 7]
    assert verdicts[-1].reset_seconds == pytest.approx(0.3)


def test_what_costs_more_than_there_ever_is_goes_through_when_nothing_else_did() -> None:
    bucket = Bucket(TEN)

    alone = bucket.let_through(2, 500)
    bucket.now += 0.9
    too_soon = bucket.let_through(1, 500)
    bucket.now += 0.1

    assert (alone, too_soon, bucket.let_through(1, 500)) == (1, 0, 1)


def test_callers_do_not_share_a_limit() -> None:
    buckets = LocalBuckets(clock=lambda: 0.0)

    first = [buckets.take("first", TEN).is_allowed for _ in range(11)]

    assert first[-1] is False
    assert buckets.take("second", TEN).is_allowed


def test_the_memory_for_callers_is_bounded_and_forgets_who_called_longest_ago() -> None:
    buckets = LocalBuckets(clock=lambda: 0.0, most=3)
    for name in ("first", "second", "third", "first", "fourth"):
        buckets.take(name, TEN)

    assert len(buckets) == 3
    assert [buckets.take(name, TEN).remaining for name in ("first", "second")] == [7, 9]


@given(
    calls=st.integers(1, 1000),
    period=st.sampled_from([1, 60, 3600]),
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=200),
)
def test_in_no_period_more_is_let_through_than_twice_what_it_holds(calls: int, period: int, gaps: list[float]) -> None:
    rate, now, due_at = Rate(calls=calls, period_seconds=period), 0.0, 0.0
    passed: list[float] = []

    for gap in gaps:
        now += gap
        due_at, verdict = decide(rate, due_at, now)
        passed += [now] * verdict.is_allowed
        assert 0 <= verdict.remaining <= calls
        assert verdict.is_allowed == (verdict.wait_seconds == 0)

    most = max(sum(start <= moment <= start + period for moment in passed) for start in passed)
    assert most <= 2 * calls
