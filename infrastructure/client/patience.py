"""When a call is made again, and how long after."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
AGAIN = frozenset({429, 502, 503, 504})
"""Nothing was decided, or a proxy does not know: the same request again is safe, for its idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a call may take with all its repetitions, and how the time between them passes."""

    seconds: float = 60.0
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    def wait_seconds(self, repetition: int, asked_seconds: float | None) -> float:
        """Say how long to wait before a repetition, the first being 1: what was asked for, and never less.

        The jitter only adds, up to a half: clients that were refused together do not come back together.
        """
        doubled = FIRST_WAIT_SECONDS * 2.0 ** min(repetition - 1, 16)
        least = max(min(doubled, LONGEST_WAIT_SECONDS), asked_seconds or 0.0)
        return least * (1.0 + 0.5 * self.jitter())
