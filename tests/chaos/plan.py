"""What is struck and when: all of it from the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.strikes import SHARES, Strike, Target, table
from tests.chaos.world import ALONE

LONG_SECONDS = 300.0
"""A load that lasts longer has room for every strike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a run is. People whose retries last longer than the longest wait are left out.

    A consequence of a strike may outlast the load by `tail_seconds`.
    """

    strikes: int
    notifications: int
    calm_notifications: int
    per_second: float
    outage_seconds: float
    longest_wait_seconds: float
    longest_calm_wait_seconds: float
    tail_seconds: float

    @property
    def load_seconds(self) -> float:
        """How long the load lasts if nothing holds it up."""
        return self.notifications / self.per_second


def full(strikes: int, notifications: int) -> Size:
    """Describe a run in which everything is struck, and RabbitMQ and Postgres stand still past the lease too."""
    return Size(
        strikes=strikes,
        notifications=notifications,
        calm_notifications=500,
        per_second=15,
        outage_seconds=62,
        longest_wait_seconds=75,
        longest_calm_wait_seconds=20,
        tail_seconds=60,
    )


def short(strikes: int, notifications: int) -> Size:
    """Describe a run for every day: short outages, short waits, and what takes a minute to heal comes first."""
    return Size(
        strikes=strikes,
        notifications=notifications,
        calm_notifications=100,
        per_second=12,
        outage_seconds=6,
        longest_wait_seconds=20,
        longest_calm_wait_seconds=5,
        tail_seconds=20,
    )


def plan(size: Size, seed: int) -> list[Strike]:
    """Draw the strikes of a run in their order; none whose consequences would outlast it."""
    random = Random(seed)
    drawn = _drawn(size, random)
    random.shuffle(drawn)
    order: list[Strike | None] = [None] * len(drawn)
    for strike in sorted(drawn, key=lambda strike: -strike.echo_seconds):
        free = [place for place, taken in enumerate(order) if taken is None]
        early = [place for place in free if place < _latest(size, strike)]
        order[random.choice(early) if early else free[0]] = strike
    return [strike for strike in order if strike is not None]


def _latest(size: Size, strike: Strike) -> float:
    """Say before which place of the plan a strike must come."""
    return size.strikes * (1 - max(strike.echo_seconds - size.tail_seconds, 0) / size.load_seconds)


def _drawn(size: Size, random: Random) -> list[Strike]:
    rows = table(size.outage_seconds, size.longest_wait_seconds)
    drawn: list[Strike] = []
    for target, count in _shares(size.strikes).items():
        deck = _deck([row for row in rows if row.target is target], random)
        fit = (row for row in deck if not _is_spent(size, row, drawn))
        for _ in range(count):
            drawn += [next(fit)]  # each looks at those before it
    return drawn


def _is_spent(size: Size, row: Strike, drawn: Sequence[Strike]) -> bool:
    """Tell whether a row can come no more: it is rare, or in a short run what it needs is gone for most of the time.

    A function without a double that stands still is hit by nothing else, and `events.retry` is empty for minutes after
    it was missing.
    """
    if row.is_rare and row in drawn:
        return True
    if size.load_seconds > LONG_SECONDS:
        return False
    if row.misses_retry:
        return any(strike.misses_retry for strike in drawn)
    is_alone = row.function in ALONE and not row.lasts_seconds
    return is_alone and any(strike.function == row.function for strike in drawn)


def _deck(rows: Sequence[Strike], random: Random) -> Iterator[Strike]:
    """Deal all rows in a drawn order, again and again: none comes twice before each came once, essential ones first."""
    shuffled = random.sample(rows, len(rows))
    yield from sorted(shuffled, key=lambda row: not row.is_essential)
    while True:
        yield from random.sample(rows, len(rows))


def _shares(count: int) -> dict[Target, int]:
    """Share out the strikes; what rounding leaves goes to those whose share was cut most."""
    exact = {target: share * count for target, share in SHARES.items()}
    whole = {target: int(value) for target, value in exact.items()}
    rest = sorted(SHARES, key=lambda target: whole[target] - exact[target])[: count - sum(whole.values())]
    return {target: whole[target] + (target in rest) for target in SHARES}
