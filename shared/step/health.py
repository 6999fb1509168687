"""How a provider has been doing lately, as this process has seen it: what a breaker is too slow or too blunt to say.

A breaker stops every call of a tenant, in every process, and asks for five failures. This only moves traffic between
several providers of one channel, after two, and forgets within half a minute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from shared.outcomes import Outcome
from shared.statuses import OutcomeKind

MEMORY_SECONDS = 30.0
FAILURES = 2
SLOW_SECONDS = 2.0
SLOWER_THAN_ANOTHER = 3.0
SMOOTHING = 0.3
"""The weight of the newest call: a provider that was slow is fast again after about six fast ones."""
MOST_FAILURES = 100


class Health:
    """The memory of one provider. Times are those of a monotonic clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed_at: deque[float] = deque(maxlen=MOST_FAILURES)
        self._called_at = -MEMORY_SECONDS
        self.call_seconds: float | None = None

    def note(self, outcomes: Sequence[Outcome], took_seconds: float) -> None:
        """Note calls that ended together. Failures among them are one, such as a cut that hit many letters."""
        now, was_failing = self._clock(), False
        is_old = now - self._called_at > MEMORY_SECONDS
        before = None if is_old else self.call_seconds
        self.call_seconds = took_seconds if before is None else before + SMOOTHING * (took_seconds - before)
        self._called_at = now
        for outcome in outcomes:
            if outcome.provider_at_fault and not was_failing:
                self._failed_at.append(now)
            elif not outcome.provider_at_fault and outcome.kind is not OutcomeKind.THROTTLED:
                self._failed_at.clear()
            was_failing = outcome.provider_at_fault

    def trouble(self, others: Iterable[Health]) -> str:
        """Say what is wrong with it, next to the others; nothing if it is well."""
        now = self._clock()
        failures = sum(1 for at in self._failed_at if now - at <= MEMORY_SECONDS)
        if failures >= FAILURES:
            return f"failed {'twice' if failures == FAILURES else f'{failures} times'} in a row"
        if self.call_seconds is None or self.call_seconds <= SLOW_SECONDS or now - self._called_at > MEMORY_SECONDS:
            return ""
        known = [other.call_seconds for other in others if other.call_seconds is not None]
        is_slower = bool(known) and self.call_seconds >= SLOWER_THAN_ANOTHER * min(known)
        return f"is slow: {self.call_seconds:.1f} s a call" if is_slower else ""
