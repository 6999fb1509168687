"""What waits: which notification, and for how long exactly. A delay of the broker is a step of its topology."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Wait:
    """What a delayed message is about, and in how many seconds it is due."""

    notification_id: UUID
    seconds: float
