"""How long a provider asks to be left alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 7 * 86_400
"""Nothing lives longer, so whoever asks for more has not been understood."""

_SECONDS = re.compile(r"[0-9]{1,9}")


def read_retry_after(said: object, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110 10.2.3), seconds or a date, or the number that stands for it in a JSON answer.

    None when it is missing, garbage, past, or beyond seven days.
    """
    seconds = _seconds(said, now)
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_SECONDS else None


def _seconds(said: object, now: datetime) -> float | None:
    if isinstance(said, bool):
        return None
    if isinstance(said, int | float):
        return float(said) if 0 <= said <= LONGEST_SECONDS else None  # an integer may be too large to become a float
    if not isinstance(said, str):
        return None
    if _SECONDS.fullmatch(said.strip()):
        return float(said)
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    return ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
