"""Quiet hours: the part of each day in which a person is left alone, by the clocks of their own zone. Pure.

The same is written in SQL for the claims (`quiet_until`, migration 0007); a test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.statuses import Channel

DEFAULT_ZONE = "UTC"
SILENT = frozenset({Channel.WEBSOCKET})
"""An inbox wakes nobody: quiet hours that name no channels leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From when to when, by the wall clock; over midnight where `ends` comes before `starts`."""

    starts: time
    ends: time
    channels: frozenset[Channel]


def quiet_until(moment: datetime, zone: str, hours: QuietHours) -> datetime | None:
    """Say when the quiet hours end that a moment lies in; None when it lies in none.

    A time that clocks skip is as much later as they are put forward (RFC 5545 3.3.5). Of a time that they show twice,
    quiet hours begin with the first and end with the second: a person is left alone in both.
    """
    place = zone_of(zone)
    today = moment.astimezone(place).date()
    for back in (0, 1):
        day = today - timedelta(days=back)
        starts = datetime.combine(day, hours.starts, place)
        ends = datetime.combine(day + timedelta(days=hours.ends <= hours.starts), hours.ends, place)
        until = _second(ends)
        if _first(starts) <= moment < until:
            return until
    return None


@lru_cache(maxsize=500)
def zone_of(name: str) -> ZoneInfo:
    """Find a zone; one that this machine does not know must stop nobody's messages, so it is UTC."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo(DEFAULT_ZONE)


def _first(wall: datetime) -> datetime:
    return wall.replace(fold=0).astimezone(UTC)


def _second(wall: datetime) -> datetime:
    """Take the later of two instants; a time that is skipped has one, by the offset before."""
    first, second = wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    return max(first, second)
