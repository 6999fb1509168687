"""Which delay a message takes, and with which promises the queues are declared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.broker.topology import DELAYS_SECONDS, EXCHANGE, PARKING_LOT, RETRY, WORK_QUEUES, delay, delay_for, queues

QUEUES = {queue.name: queue for queue in queues()}
WAITING = {RETRY: 10, **{delay(seconds): seconds for seconds in DELAYS_SECONDS}}


@pytest.mark.parametrize(
    ("remaining", "chosen"),
    [
        (-5, 0),
        (0, 0),
        (0.001, 2),
        (2, 2),
        (3.99, 2),
        (4, 4),
        (14.9, 8),
        (15, 15),
        (59, 15),
        (899, 300),
        (3599, 900),
        (3600, 3600),
        (3600.1, None),
        (86_400, None),
    ],
)
def test_the_delay_is_the_longest_that_is_not_too_long(remaining: float, chosen: int | None) -> None:
    assert delay_for(remaining) == chosen


@settings(max_examples=100, deadline=None)
@given(st.floats(min_value=0.001, max_value=3_600))
def test_after_its_delays_a_message_is_never_early_and_at_most_two_seconds_late(remaining: float) -> None:
    left = remaining
    while left > 0:
        left -= delay_for(left) or 0

    assert -2 <= left <= 0


def test_every_queue_is_a_quorum_queue() -> None:
    assert {queue.arguments["x-queue-type"] for queue in QUEUES.values()} == {"quorum"}


@pytest.mark.parametrize("name", WORK_QUEUES)
def test_what_a_step_cannot_take_goes_to_the_retry_and_is_not_lost_on_the_way(name: str) -> None:
    assert QUEUES[name].arguments == {
        "x-queue-type": "quorum",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": RETRY,
    }


@pytest.mark.parametrize(("name", "seconds"), WAITING.items())
def test_what_has_waited_goes_home_under_its_own_key(name: str, seconds: int) -> None:
    assert QUEUES[name].arguments == {
        "x-queue-type": "quorum",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-message-ttl": seconds * 1000,
        "x-dead-letter-exchange": EXCHANGE,
    }


def test_the_parking_lot_is_bounded_and_drops_the_oldest() -> None:
    assert QUEUES[PARKING_LOT].arguments == {
        "x-queue-type": "quorum",
        "x-max-length": 10_000,
        "x-overflow": "drop-head",
    }


def test_no_queue_limits_how_often_it_delivers() -> None:
    assert [name for name, queue in QUEUES.items() if "x-delivery-limit" in queue.arguments] == []


def test_targets_of_dead_letters_are_declared_before_what_points_at_them() -> None:
    names = list(QUEUES)

    assert max(names.index(name) for name in WORK_QUEUES) < min(names.index(name) for name in WAITING)
