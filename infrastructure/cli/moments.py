"""Times as people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def read(text: str) -> datetime:
    """Read a time of the API."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def now() -> datetime:
    """Read this machine's clock."""
    return datetime.now(UTC)


def clock(text: str) -> str:
    """Write a time of the API to the second, in UTC."""
    return read(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def ago(text: str | None, at: datetime) -> str:
    """Say how long ago a time of the API is, or how long it is until then."""
    if text is None:
        return ""
    passed = (at - read(text)).total_seconds()
    seconds = abs(round(passed))
    if not seconds:
        return "now"
    size, unit = next(one for one in _UNITS if seconds >= one[0])
    number = seconds // size
    words = f"{number} {unit}{'' if number == 1 else 's'}"
    return f"{words} ago" if passed > 0 else f"in {words}"


def after(text: str, begin: str) -> str:
    """Say how long after a beginning something was: +0.012 s, +14.2 s, +3:05 min, +26:10 h."""
    passed: timedelta = read(text) - read(begin)
    seconds = passed.total_seconds()
    sign, seconds = ("-" if seconds < 0 else "+"), abs(seconds)
    if seconds < 10:
        return f"{sign}{seconds:.3f} s"
    if seconds < 60:
        return f"{sign}{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{sign}{minutes}:{rest:02d} min"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d} h"
