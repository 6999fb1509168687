"""What can happen, in two families.

Transient: something of ours is down or busy; the message stays where it is and is tried again.
Permanent: no repetition helps; it is recorded and acknowledged.
What a provider says is neither: it is an outcome (`shared/outcomes.py`). `shared/problems.py` maps both to HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class CarillonError(Exception):
    """Anything that Carillon itself raises."""


class Transient(CarillonError):
    """Try again later; nothing was decided."""

    retry_after_seconds: float = 1.0


class DatabaseUnavailable(Transient):
    """Postgres is away, read-only, full, out of connections, or took another transaction's side."""


class BrokerUnavailable(Transient):
    """RabbitMQ is away, blocked by an alarm, or did not confirm in time."""


class BacklogFull(Transient):
    """As many notifications wait as the intake may let wait."""

    retry_after_seconds = 10.0


class ShuttingDown(Transient):
    """This process was told to stop and takes no new work."""


class Permanent(CarillonError):
    """No repetition helps."""


class Garbage(Permanent):
    """Bytes on a queue that are no event of ours."""


class IllegalTransition(Permanent):
    """A status may not follow another. Always a bug of ours: the saga decides only what its tables allow."""


class SettingMissing(Permanent):
    """A setting without which this process must not start. Names the setting and the remedy."""


class Refused(Permanent):
    """A request that the API refuses, as a problem document (RFC 9457)."""

    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.field = field
        self.retry_after_seconds = retry_after_seconds


class RateExceeded(Refused):
    """Somebody calls more often than it may. The headers say what is allowed, and when there is room again."""

    def __init__(self, rate: str, wait_seconds: float, headers: Mapping[str, str]) -> None:
        detail = f"This caller may make {rate} calls. Try again after Retry-After."
        super().__init__(429, "Too many requests", detail, retry_after_seconds=wait_seconds)
        self.headers = headers

    def wait_longer(self, seconds: float) -> None:
        """Have the caller come again later than was said."""
        self.retry_after_seconds = (self.retry_after_seconds or 0.0) + seconds
