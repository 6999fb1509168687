"""What is sent, and what comes back: the fields that a caller decides by, and the whole document beside them.

Read leniently: a newer Carillon may say more, and knows statuses that this client has never heard of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.statuses import TERMINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One business event for one user. `data` holds the message, and what templates use."""

    event_type: str
    user_id: int | str
    data: Mapping[str, Any] = field(repr=False)
    timestamp: datetime | None = None
    expires_at: datetime | None = None
    collapse_key: str | None = None
    send_at: datetime | None = None
    on_ambiguous: str | None = None
    priority: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Write it as `POST /events` takes it."""
        document = {
            "event_type": self.event_type,
            "user_id": self.user_id,
            "data": dict(self.data),
            "timestamp": _written(self.timestamp),
            "expires_at": _written(self.expires_at),
            "collapse_key": self.collapse_key,
            "send_at": _written(self.send_at),
            "on_ambiguous": self.on_ambiguous,
            "priority": self.priority,
        }
        return {name: value for name, value in document.items() if value is not None}

    def as_cloud_event(self, key: str, source: str) -> dict[str, Any]:
        """Write it as one of a batch: there each event has its own key."""
        document = {
            "specversion": "1.0",
            "id": key,
            "source": source,
            "type": self.event_type,
            "time": _written(self.timestamp),
            "expirytime": _written(self.expires_at),
            "collapsekey": self.collapse_key,
            "sendat": _written(self.send_at),
            "onambiguous": self.on_ambiguous,
            "priority": self.priority,
            "data": {**self.data, "user_id": self.user_id},
        }
        return {name: value for name, value in document.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An event that is kept: it will end, whatever happens."""

    id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One channel of a notification."""

    channel: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call to a provider."""

    channel: str
    outcome: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What became of an event. `document` is all that was told, with the timeline."""

    id: str
    status: str
    reason: str
    user_id: str
    event_type: str
    deliveries: tuple[Delivery, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is owed to it."""
        return self.status in {status.value for status in TERMINAL}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Notification:
        """Read one."""
        return cls(
            **{name: _text(document, name) for name in ("id", "status", "reason", "user_id", "event_type")},
            deliveries=tuple(
                Delivery(**{name: _text(one, name) for name in ("channel", "status", "reason")})
                for one in document.get("deliveries", ())
            ),
            attempts=tuple(
                Attempt(**{name: _text(one, name) for name in ("channel", "outcome", "code", "reason")})
                for one in document.get("attempts", ())
            ),
            document=document,
        )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    return "" if value is None else str(value)


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone().isoformat()
