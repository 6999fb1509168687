"""How often somebody may call: the generic cell rate algorithm (GCRA), with nothing around it.

All that is kept of a caller is one moment: when everything that it was let do so far would have been due, had it come
evenly. It may be ahead of that by as much as one period holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

RATE_HEADERS = "carillon.rate-headers"
"""Where in a request's scope the gate leaves what the answer is to say of the caller's limit."""

OFF = "off"
MOST_CALLS = 1_000_000
_FORM = re.compile(r"([1-9][0-9]{0,6})/([smh])")
_PERIOD_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many calls in a period; all of them may come at once."""

    calls: int
    period_seconds: int

    def __str__(self) -> str:
        letter = next(name for name, seconds in _PERIOD_SECONDS.items() if seconds == self.period_seconds)
        return f"{self.calls}/{letter}"

    @property
    def interval_seconds(self) -> float:
        """How far apart calls are when they come evenly."""
        return self.period_seconds / self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a call may go on, and what is left. `ahead_seconds` is by how much the caller is ahead now."""

    rate: Rate
    is_allowed: bool
    ahead_seconds: float
    cost: int = 1

    @property
    def remaining(self) -> int:
        """How many calls may still come at once."""
        room = self.rate.period_seconds - self.ahead_seconds
        return max(0, int(room / self.rate.interval_seconds + 1e-6))

    @property
    def reset_seconds(self) -> float:
        """After how long all of them may come at once again."""
        return max(0.0, self.ahead_seconds)

    @property
    def wait_seconds(self) -> float:
        """After how long the refused call may come again; 0 if it was let through."""
        if self.is_allowed:
            return 0.0
        return max(0.0, self.ahead_seconds + self.cost * self.rate.interval_seconds - self.rate.period_seconds)


def parse_rate(text: str) -> Rate | None:
    """Read `100/s`, `6000/m` or `1000/h`; None for `off`.

    Raises:
        ValueError: it is neither.
    """
    if text == OFF:
        return None
    found = _FORM.fullmatch(text)
    if not found or int(found[1]) > MOST_CALLS:
        raise ValueError(f"must be {OFF}, or calls per s, m or h: 100/s; {MOST_CALLS:,} at most")
    return Rate(calls=int(found[1]), period_seconds=_PERIOD_SECONDS[found[2]])


def decide(rate: Rate, due_at: float, now: float, cost: int = 1) -> tuple[float, Verdict]:
    """Judge a call that costs so much; return the new moment to keep, and the verdict.

    What costs more than a whole period holds is let through when nothing else was: else it never would be.
    """
    due_at, cost = max(due_at, now), min(cost, rate.calls)
    following = due_at + cost * rate.interval_seconds
    is_allowed = following - now <= rate.period_seconds + 1e-9
    kept = following if is_allowed else due_at
    return kept, Verdict(rate=rate, is_allowed=is_allowed, ahead_seconds=kept - now, cost=cost)
