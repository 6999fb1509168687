"""Quiet hours by the clocks of a zone: in Python, where it is routed, and in SQL, where it is claimed, the same."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from shared.quiet_hours import QuietHours, quiet_until
from shared.statuses import Channel
from shared.store import Store

BERLIN, NIGHT = "Europe/Berlin", ("22:00", "07:00")
CASES = [
    # before, within and after a night, in winter and in summer
    ("2026-01-10 20:59:59", BERLIN, NIGHT, None),
    ("2026-01-10 21:00:00", BERLIN, NIGHT, "2026-01-11 06:00"),
    ("2026-01-11 05:59:59", BERLIN, NIGHT, "2026-01-11 06:00"),
    ("2026-01-11 06:00:00", BERLIN, NIGHT, None),
    ("2026-07-10 20:00:00", BERLIN, NIGHT, "2026-07-11 05:00"),
    # a part of the day
    ("2026-01-10 11:59:00", "UTC", ("12:00", "14:00"), None),
    ("2026-01-10 13:59:00", "UTC", ("12:00", "14:00"), "2026-01-10 14:00"),
    ("2026-01-10 14:00:00", "UTC", ("12:00", "14:00"), None),
    # clocks are put back: 03:00 becomes 02:00 at 01:00 UTC, and the night is an hour longer
    ("2026-10-24 21:00:00", BERLIN, NIGHT, "2026-10-25 06:00"),
    ("2026-10-25 05:30:00", BERLIN, NIGHT, "2026-10-25 06:00"),
    # 02:30 comes twice: it is quiet from the first one, and until the second one
    ("2026-10-25 00:29:00", BERLIN, ("02:30", "06:00"), None),
    ("2026-10-25 00:30:00", BERLIN, ("02:30", "06:00"), "2026-10-25 05:00"),
    ("2026-10-25 01:10:00", BERLIN, ("02:30", "06:00"), "2026-10-25 05:00"),
    ("2026-10-25 00:40:00", BERLIN, ("22:00", "02:30"), "2026-10-25 01:30"),
    ("2026-10-25 01:29:00", BERLIN, ("22:00", "02:30"), "2026-10-25 01:30"),
    ("2026-10-25 01:30:00", BERLIN, ("22:00", "02:30"), None),
    # clocks are put forward: 02:00 becomes 03:00 at 01:00 UTC, and 02:30 does not come: it is 03:30
    ("2027-03-27 21:30:00", BERLIN, NIGHT, "2027-03-28 05:00"),
    ("2027-03-28 05:00:00", BERLIN, NIGHT, None),
    ("2027-03-28 01:10:00", BERLIN, ("22:00", "02:30"), "2027-03-28 01:30"),
    ("2027-03-28 01:30:00", BERLIN, ("22:00", "02:30"), None),
    ("2027-03-28 01:29:00", BERLIN, ("02:30", "06:00"), None),
    ("2027-03-28 01:30:00", BERLIN, ("02:30", "06:00"), "2027-03-28 04:00"),
    # half an hour and three quarters
    ("2026-01-10 16:30:00", "Asia/Kolkata", NIGHT, "2026-01-11 01:30"),
    ("2026-04-04 14:45:00", "Australia/Lord_Howe", ("01:40", "03:00"), "2026-04-04 16:30"),
]


def quiet(night: tuple[str, str]) -> QuietHours:
    starts, ends = (time.fromisoformat(clock) for clock in night)
    return QuietHours(starts=starts, ends=ends, channels=frozenset(Channel))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(("moment", "zone", "night", "until"), CASES)
def test_a_person_is_left_alone_by_their_own_clock(
    moment: str, zone: str, night: tuple[str, str], until: str | None
) -> None:
    assert quiet_until(utc(moment), zone, quiet(night)) == (utc(until) if until else None)


async def test_the_claims_say_the_same(store: Store) -> None:
    moments = [(utc(moment), zone, night) for moment, zone, night, _ in CASES]
    for zone in (BERLIN, "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Chatham"):
        for night in (NIGHT, ("02:30", "06:00"), ("23:00", "02:30"), ("01:45", "02:15")):
            moments += [(utc("2026-01-01 00:07") + timedelta(hours=h), zone, night) for h in range(0, 8760, 67)]
            moments += [(utc("2026-10-24 20:03") + timedelta(minutes=m), zone, night) for m in range(0, 900, 13)]
            moments += [(utc("2027-03-27 20:03") + timedelta(minutes=m), zone, night) for m in range(0, 900, 13)]

    rows = await store.database.fetch(
        """SELECT quiet_until(m.at, m.zone, jsonb_build_object('from', m.starts, 'to', m.ends))
           FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[])
               WITH ORDINALITY AS m(at, zone, starts, ends, n) ORDER BY m.n""",
        [list(column) for column in zip(*[(at, zone, *night) for at, zone, night in moments], strict=True)],
    )

    expected = [quiet_until(at, zone, quiet(night)) for at, zone, night in moments]
    assert [row[0] for row in rows] == expected
    assert len({until is None for until in expected}) == 2


async def test_a_zone_that_nobody_knows_stops_nothing(store: Store) -> None:
    at, hours = utc("2026-01-10 23:00"), '{"from": "22:00", "to": "07:00"}'

    rows = await store.database.fetch("SELECT quiet_until(%s, 'Mars/Olympus', %s::jsonb)", (at, hours))

    assert rows[0][0] == quiet_until(at, "Mars/Olympus", quiet(NIGHT)) == utc("2026-01-11 07:00")
