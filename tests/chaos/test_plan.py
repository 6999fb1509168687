"""The seed decides what is struck and in which order, and no run leaves out what matters most."""

from __future__ import annotations

import pytest

from tests.chaos.plan import Size, full, plan, short
from tests.chaos.strikes import Strike, Target, table

SEEDS = range(20)


def names(strikes: list[Strike]) -> list[str]:
    return [strike.name for strike in strikes]


def test_the_same_seed_plans_the_same_strikes() -> None:
    assert names(plan(full(100, 10_000), 7)) == names(plan(full(100, 10_000), 7))
    assert names(plan(full(100, 10_000), 7)) != names(plan(full(100, 10_000), 8))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_run_leaves_nothing_unstruck(seed: int) -> None:
    size = full(100, 10_000)

    planned = plan(size, seed)

    assert len(planned) == 100
    assert set(names(planned)) == set(names(table(size.outage_seconds, size.longest_wait_seconds)))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_run_strikes_every_kind_of_thing_and_the_sender_both_ways(seed: int) -> None:
    planned = plan(short(20, 900), seed)

    assert len(planned) == 20
    assert {strike.target for strike in planned} == set(Target)
    assert {"kill -9 deliver-email", "SIGSTOP deliver-email", "kill -9 orchestrate"} <= set(names(planned))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("size", [full(100, 10_000), short(20, 900)])
def test_what_takes_long_to_heal_does_not_come_last(size: Size, seed: int) -> None:
    planned = plan(size, seed)

    for place, strike in enumerate(planned):
        if strike.lasts_seconds:
            assert place < len(planned) * (1 - (strike.echo_seconds - size.tail_seconds) / size.load_seconds)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_run_needs_the_retry_queue_once_at_most(seed: int) -> None:
    assert sum(strike.misses_retry for strike in plan(short(20, 900), seed)) <= 1


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_stands_still_for_a_minute_once_for_each_service(seed: int) -> None:
    planned = names(plan(full(100, 10_000), seed))

    assert planned.count("SIGSTOP RabbitMQ, 62 s") == planned.count("SIGSTOP Postgres, 62 s") == 1
