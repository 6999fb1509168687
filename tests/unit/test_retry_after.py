"""How long a provider asks to be left alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retry_after import LONGEST_SECONDS, read_retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("0", 0),
        (30, 30),
        (1.5, 1.5),
        ("604800", LONGEST_SECONDS),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 13:00:30 +0100", 30),
        ("Sat, 21 Nov 2026 12:00:30", 30),
    ],
)
def test_seconds_and_dates_are_understood(said: object, seconds: float) -> None:
    assert read_retry_after(said, NOW) == seconds


@pytest.mark.parametrize(
    "said",
    [
        *(None, "", "soon", "-5", "1e3", "٣", "30, 40", "9" * 40, b"30", [30], {}),
        *(-1, True, float("nan"), float("inf"), LONGEST_SECONDS + 1, 10**400),
        *("604801", "Sat, 21 Nov 2026 11:59:59 GMT", "Sat, 28 Nov 2026 12:00:01 GMT", "Sat, 99 Nov 2026 12:00:00 GMT"),
    ],
)
def test_garbage_the_past_and_more_than_a_week_are_as_nothing(said: object) -> None:
    assert read_retry_after(said, NOW) is None


@given(st.one_of(st.text(), st.floats(), st.integers(), st.dates().map("{:%a, %d %b %Y 12:00:00 GMT}".format)))
def test_whatever_is_said_the_wait_is_within_bounds(said: object) -> None:
    wait = read_retry_after(said, NOW)

    assert wait is None or 0 <= wait <= LONGEST_SECONDS
