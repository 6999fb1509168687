"""What one request asks for itself, beyond what its workflow says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from shared.saga import OnAmbiguous
from shared.statuses import Channel


class Priority(StrEnum):
    """What goes first where something must wait. It changes neither the channel nor anybody's quiet."""

    HIGH = "high"  # looked for soonest if its message was lost
    NORMAL = "normal"
    LOW = "low"  # refused first when much waits, looked for last


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The wishes of one notification. Without any, there is no record of them."""

    channel: Channel | None = None
    template: str | None = None
    on_ambiguous: OnAmbiguous | None = None
    priority: Priority | None = None

    def to_json(self) -> dict[str, str] | None:
        """Write those that there are; None for none."""
        said = {
            "channel": self.channel,
            "template": self.template,
            "on_ambiguous": self.on_ambiguous,
            "priority": None if self.priority is Priority.NORMAL else self.priority,
        }
        return {name: str(value) for name, value in said.items() if value is not None} or None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read them as they are stored."""
        return cls(
            channel=Channel(document["channel"]) if "channel" in document else None,
            template=document.get("template"),
            on_ambiguous=OnAmbiguous(document["on_ambiguous"]) if "on_ambiguous" in document else None,
            priority=Priority(document["priority"]) if "priority" in document else None,
        )


NO_WISHES = Wishes()
