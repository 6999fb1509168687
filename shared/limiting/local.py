"""Limits as one process sees them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from shared.rates import Rate, Verdict, decide

MOST_CALLERS = 50_000
"""Beyond, whoever called longest ago is forgotten; its limit begins anew."""


class LocalBuckets:
    """One moment for each caller, in memory."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, most: int = MOST_CALLERS) -> None:
        self._clock = clock
        self._most = most
        self._due_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._due_at)

    def take(self, caller: str, rate: Rate, cost: int = 1) -> Verdict:
        """Judge a call, and count it if it is let through."""
        now = self._clock()
        kept, verdict = decide(rate, self._due_at.get(caller, now), now, cost)
        self._due_at[caller] = kept
        self._due_at.move_to_end(caller)
        if len(self._due_at) > self._most:
            self._due_at.popitem(last=False)
        return verdict
