"""The attempt that a command asks for, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from shared.outcomes import Outcome
from shared.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Command:
    """The attempt that a command asks for."""

    notification_id: UUID
    attempt: int
    epoch: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The outcome of one claimed attempt, to be kept. The address is there if something follows from it."""

    command: Command
    token: UUID
    tenant: str
    outcome: Outcome
    took_seconds: float
    withheld: bool = False
    user_id: str = ""
    address: str | None = field(default=None, repr=False)
