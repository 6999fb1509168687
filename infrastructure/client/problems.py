"""What can go wrong for a caller: the API refuses, is away for too long, or takes longer than one waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem document (RFC 9457): `field` is the first field that is wrong, `errors` says of each why."""

    status: int
    title: str
    detail: str = ""
    type: str = "about:blank"
    instance: str = ""
    field: str = ""
    errors: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, status: int, document: object) -> Problem:
        """Read one; what is none, such as a proxy's page, still has its status."""
        said: Mapping[str, Any] = document if isinstance(document, dict) else {}
        errors = [one for one in said.get("errors") or () if isinstance(one, dict)]
        return cls(
            status=status,
            title=str(said.get("title", f"HTTP {status}")),
            detail=str(said.get("detail", "")),
            type=str(said.get("type", "about:blank")),
            instance=str(said.get("instance", "")),
            field=str(said.get("field", "")),
            errors=tuple((str(one.get("field", "")), str(one.get("detail", ""))) for one in errors),
        )

    def __str__(self) -> str:
        about = f" ({self.field})" if self.field else ""
        return f"{self.status} {self.title}{about}: {self.detail}".rstrip(": ")


class RequestRefused(Exception):
    """The API refuses; the same request again is refused again."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class ServiceUnavailable(Exception):
    """The API could not be reached, or was busy, for as long as this client is patient.

    What was sent may have been kept: the same call with the same idempotency key is safe.
    """


class StillUnderWay(Exception):
    """The notification has not ended in the time that was given. It goes on all the same."""
