"""Hold a caller to its rate, and write what it has left (draft-ietf-httpapi-ratelimit-headers-10)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Protocol

from shared.errors import RateExceeded, Transient
from shared.limiting.local import LocalBuckets
from shared.metrics import Metrics
from shared.rates import Rate, Verdict

PAUSE_SECONDS = 1.0
"""So long nobody asks a Redis that did not answer: a caller waits for it once, not at every call."""

log = logging.getLogger(__name__)


class RedisAway(Transient):
    """Redis did not answer in time, or not as it should."""


class SharedBuckets(Protocol):
    """What all processes count together."""

    async def take(self, caller: str, rate: Rate, cost: int = 1) -> Verdict:
        """Judge a call, and count it if it is let through.

        Raises:
            RedisAway: it cannot be judged here now.
        """

    async def close(self) -> None:
        """Let the connections go."""


class Limits:
    """The limits of one process: shared with the others by Redis, its own while there is none, or none that answers."""

    def __init__(
        self,
        metrics: Metrics,
        shared: SharedBuckets | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._shared = shared
        self._local = LocalBuckets(clock=clock)
        self._clock = clock
        self._asks_again_at = 0.0
        self._is_away = False

    async def take(self, caller: str, policy: str, rate: Rate, cost: int = 1) -> dict[str, str]:
        """Count a call; return the headers that say what is left. `policy` is the limit's name in them.

        Raises:
            RateExceeded: 429, with the same headers.
        """
        verdict = await self._judge(caller, rate, cost)
        headers = describe(policy, verdict)
        if not verdict.is_allowed:
            raise RateExceeded(str(rate), verdict.wait_seconds, headers)
        return headers

    async def close(self) -> None:
        """Let Redis go."""
        if self._shared:
            await self._shared.close()

    async def _judge(self, caller: str, rate: Rate, cost: int) -> Verdict:
        if self._shared is None:
            return self._local.take(caller, rate, cost)
        if self._clock() >= self._asks_again_at:
            try:
                verdict = await self._shared.take(caller, rate, cost)
            except RedisAway as away:
                self._asks_again_at = self._clock() + PAUSE_SECONDS
                self._note(is_away=True, reason=str(away))
            else:
                self._note(is_away=False)
                return verdict
        self._metrics.limits_unshared.inc()
        return self._local.take(caller, rate, cost)

    def _note(self, *, is_away: bool, reason: str | None = None) -> None:
        if is_away and not self._is_away:
            log.warning("Redis is away: each process limits its own callers", extra={"reason": reason})
        if self._is_away and not is_away:
            log.info("Redis answers again: limits are shared")
        self._is_away = is_away


def describe(policy: str, verdict: Verdict) -> dict[str, str]:
    """Write what is allowed and what is left."""
    rate = verdict.rate
    return {
        "RateLimit-Policy": f'"{policy}";q={rate.calls};w={rate.period_seconds}',
        "RateLimit": f'"{policy}";r={verdict.remaining};t={whole_seconds(verdict.reset_seconds)}',
    }


def whole_seconds(seconds: float) -> int:
    """Round up, but not for what a clock's float adds to a whole number: 360.0000001 is 360."""
    return math.ceil(round(seconds, 6))
