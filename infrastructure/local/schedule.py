"""When a PingSource ticks: the part of cron that Knative takes, seconds included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.errors import Permanent

HORIZON = timedelta(days=366 * 8)
"""Leap days may be eight years apart (2096 to 2104): what has no tick within that never has one."""


class ScheduleInvalid(Permanent):
    """A schedule that the local runtime does not understand, or that never comes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schedule: its name and bounds."""

    name: str
    low: int
    high: int

    def parse(self, text: str) -> frozenset[int]:
        """Read `*`, `*/5`, `3`, `1-5`, `1-30/10` or a list of those."""
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, part: str) -> range:
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = self.low, self.high
        else:
            first = self._number(first_text, part)
            last = self._number(last_text, part) if dash else (self.high if slash else first)
        step = self._number(step_text, part) if slash else 1
        if not (self.low <= first <= last <= self.high) or step < 1:
            raise ScheduleInvalid(f"{self.name} {part!r} is not within {self.low} to {self.high}")
        return range(first, last + 1, step)

    def _number(self, text: str, part: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ScheduleInvalid(f"{self.name} {part!r} is none of *, */n, n, n-m and lists of those")
        return int(text)


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31),
    Field("month", 1, 12),
    Field("weekday", 0, 6),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The times of a tick, in UTC."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day_suffices: bool  # cron: with both day and weekday given, one of them is enough

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read five fields, or six with the seconds first.

        Raises:
            ScheduleInvalid: it is something else. `@every` is refused: it counts from the start of a process.
        """
        parts = text.split()
        if len(parts) == len(FIELDS) - 1:
            parts = ["0", *parts]
        if len(parts) != len(FIELDS):
            raise ScheduleInvalid(f"{text!r} has neither five nor six fields")
        values = [field.parse(part) for field, part in zip(FIELDS, parts, strict=True)]
        return cls(
            seconds=values[0],
            minutes=values[1],
            hours=values[2],
            days=values[3],
            months=values[4],
            weekdays=values[5],
            either_day_suffices=not parts[3].startswith("*") and not parts[5].startswith("*"),
        )

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick later than a moment. It depends on the clock alone, so late ticks never add up.

        Raises:
            ScheduleInvalid: there is none, such as on a 30th of February.
        """
        tick = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        end = tick + HORIZON
        while tick < end:
            later = self._skip(tick)
            if later == tick:
                return tick
            tick = later
        raise ScheduleInvalid("the schedule never comes")

    def _skip(self, tick: datetime) -> datetime:
        """Return the tick itself if it fits, else the start of the next unit that might."""
        if tick.month not in self.months:
            return (tick.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)).replace(day=1)
        if not self._day_fits(tick):
            return tick.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        if tick.hour not in self.hours:
            return tick.replace(minute=0, second=0) + timedelta(hours=1)
        if tick.minute not in self.minutes:
            return tick.replace(second=0) + timedelta(minutes=1)
        if tick.second not in self.seconds:
            return tick + timedelta(seconds=1)
        return tick

    def _day_fits(self, tick: datetime) -> bool:
        day, weekday = tick.day in self.days, tick.isoweekday() % 7 in self.weekdays
        return (day or weekday) if self.either_day_suffices else (day and weekday)
