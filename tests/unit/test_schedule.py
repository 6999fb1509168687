from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from infrastructure.local.schedule import Schedule, ScheduleInvalid

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def at(hour: int, minute: int = 0, second: int = 0, *, month: int = 11, day: int = 20, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "then"),
    [
        ("*/5 * * * * *", at(12, 0, 5)),
        ("* * * * * *", at(12, 0, 1)),
        ("* * * * *", at(12, 1)),
        ("0 * * * *", at(13)),
        ("30 */15 * * * *", at(12, 0, 30)),
        ("0 0 8-10 * * *", at(8, day=21)),
        ("15,45 11,12 * * *", at(12, 15)),
        ("0 0 1 1 *", at(0, month=1, day=1, year=2027)),
        ("0 9 * * 1", at(9, day=23)),
        ("0 0 29 2 *", at(0, month=2, day=29, year=2028)),
        ("0 0 1 * 6", at(0, day=21)),
    ],
)
def test_the_next_tick_is_where_cron_has_it(schedule: str, then: datetime) -> None:
    tick = Schedule.parse(schedule).next_after(NOON)

    assert tick == then


def test_a_tick_that_came_late_does_not_shift_the_ones_after_it() -> None:
    schedule = Schedule.parse("*/5 * * * * *")

    late = schedule.next_after(NOON + timedelta(seconds=3.7))
    later = schedule.next_after(late + timedelta(milliseconds=400))

    assert late == NOON + timedelta(seconds=5)
    assert later == NOON + timedelta(seconds=10)


def test_ticks_are_counted_in_utc_wherever_the_clock_stands() -> None:
    in_kathmandu = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))

    tick = Schedule.parse("0 13 * * *").next_after(in_kathmandu)

    assert tick == at(13)


@pytest.mark.parametrize(
    "schedule",
    [
        "@every 5s",
        "@hourly",
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "1.5 * * * *",
        "-1 * * * *",
        "² * * * *",
    ],
)
def test_a_schedule_that_is_not_understood_is_refused(schedule: str) -> None:
    with pytest.raises(ScheduleInvalid):
        Schedule.parse(schedule)


def test_a_schedule_that_never_comes_is_told_instead_of_looked_for_for_ever() -> None:
    schedule = Schedule.parse("0 0 30 2 *")

    with pytest.raises(ScheduleInvalid, match="never"):
        schedule.next_after(NOON)
