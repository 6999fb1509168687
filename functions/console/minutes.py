"""The last half hour of one tenant, minute by minute. A minute that is over is asked for once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.statuses import Channel
from shared.store.overview import MINUTES, Look

MINUTE = timedelta(minutes=1)
LATE = timedelta(seconds=30)
"""What was written within a minute is there so long after its end: no statement of ours takes longer."""

_OF_ATTEMPT = {"accepted": "sent", "permanent": "failed"}
_OF_RECEIPT = {"delivered": "delivered", "failed": "failed"}


@dataclass(slots=True)
class Minute:
    """What happened in one minute: by channel what was sent, delivered and failed; by provider what it answered."""

    accepted: int = 0
    failed: int = 0
    channels: Counter[tuple[Channel, str]] = field(default_factory=Counter)
    outcomes: Counter[tuple[Channel, str, str]] = field(default_factory=Counter)


class Minutes:
    """What is known so far."""

    def __init__(self) -> None:
        self._minutes: dict[datetime, Minute] = {}
        self.known_until: datetime | None = None
        """Minutes before this one will not change any more."""

    def take(self, look: Look) -> None:
        """Put what was looked at in the place of what was known of those minutes, and forget what is too old."""
        first = _floor(look.now) - (MINUTES - 1) * MINUTE
        self._minutes = {at: one for at, one in self._minutes.items() if first <= at < look.since}
        for at, count in look.rows["accepted"]:
            self._at(at).accepted = count
        for at, count in look.rows["failed"]:
            self._at(at).failed = count
        for at, channel, provider, outcome, count in look.rows["attempts"]:
            minute = self._at(at)
            if provider:
                minute.outcomes[Channel(channel), provider, outcome] += count
            if outcome in _OF_ATTEMPT:
                minute.channels[Channel(channel), _OF_ATTEMPT[outcome]] += count
        for at, channel, receipt, count in look.rows["receipts"]:
            self._at(at).channels[Channel(channel), _OF_RECEIPT[receipt]] += count
        self.known_until = _floor(look.now - LATE)

    def between(self, now: datetime, count: int = MINUTES) -> Iterator[tuple[datetime, Minute]]:
        """Go through the last minutes, the oldest first; the last one is the one that it is now."""
        for back in reversed(range(count)):
            at = _floor(now) - back * MINUTE
            yield at, self._minutes.get(at, _NOTHING)

    def _at(self, at: datetime) -> Minute:
        return self._minutes.setdefault(at, Minute())


_NOTHING = Minute()


def _floor(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
