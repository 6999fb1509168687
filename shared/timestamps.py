"""Read and write points in time as RFC 3339, the one form in which they enter and leave."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_RFC3339 = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt]{_CLOCK}:[0-5][0-9](?:\.[0-9]{{1,18}})?(?:[Zz]|[+-]{_CLOCK})"
)


def read_timestamp(text: str) -> datetime | None:
    """Read an RFC 3339 timestamp as UTC; None when it is none. Nanoseconds are cut to microseconds."""
    if not _RFC3339.fullmatch(text):  # fromisoformat alone takes dates, weeks and naive times
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February, and the edges of the calendar
        return None


def write_timestamp(moment: datetime) -> str:
    """Write an aware datetime in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
