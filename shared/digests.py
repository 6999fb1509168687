"""Digests: what a workflow says about them, when a window closes, what keeps them apart, and what is in the message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any, Self
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.ids import NAMESPACE
from shared.whole_numbers import WHOLE

MOST_EVENTS = 100
"""So many events of a digest come into its message with their data; the rest is counted."""

MOST_CHARACTERS = 60_000
"""All of their data together: a message has 100,000 characters at most, and the template's own words come on top."""

EventSeconds = Annotated[int, Field(strict=True, ge=60, le=7 * 86_400), WHOLE]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class Digest(BaseModel):
    """Collect events, and send one message: so many seconds after the first one, or at a time of the user's day.

    `by` are fields of the event's data: events that differ in one of them go into different digests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: EventSeconds | None = None
    at: LocalTime | None = None
    by: Annotated[tuple[FieldName, ...], Field(max_length=5)] = ()

    @model_validator(mode="after")
    def _is_one_window(self) -> Self:
        if (self.every is None) == (self.at is None):
            raise ValueError("say either every, in seconds, or at, a time of day such as 08:00")
        if len(set(self.by)) < len(self.by):
            raise ValueError("by names a field twice")
        return self

    def closes_at(self, now: datetime, time_zone: str | None = None) -> datetime:
        """Say when a window closes that opens now. A zone that nobody knows is UTC."""
        if self.at is None:
            return now + timedelta(seconds=self.every or 0)
        zone = _zone(time_zone)
        local, hour = now.astimezone(zone), time.fromisoformat(self.at)
        today = datetime.combine(local.date(), hour, zone)
        tomorrow = datetime.combine(local.date() + timedelta(days=1), hour, zone)
        # Compared in UTC: within a zone Python compares what the clocks show, which they may show twice a night.
        return min(at for at in (today.astimezone(UTC), tomorrow.astimezone(UTC)) if at > now)

    def key(self, tenant: str, user_id: str, event_type: str, data: Mapping[str, Any]) -> UUID:
        """Name what is collected together."""
        values = [data.get(name) for name in self.by]
        return uuid5(NAMESPACE, "digest\x1f" + json.dumps([tenant, user_id, event_type, list(self.by), values]))


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def digest_id(key: UUID, first: UUID) -> UUID:
    """Name the notification that carries a digest after the one that opened it."""
    return uuid5(key, first.hex)


def content_of(count: int, first: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the data of a digest: how many events there are, the first of them, and how many more.

    `message` says the same in a line for each, for templates that know nothing of digests.
    """
    events, left = [], MOST_CHARACTERS
    for event in first[:MOST_EVENTS]:
        left -= len(json.dumps(event, ensure_ascii=False))
        if left < 0:
            break
        events.append(dict(event))
    more = count - len(events)
    lines = [f"- {event.get('message', '')}" for event in events]
    if more:
        lines.append(f"- and {more} more")
    return {"count": count, "events": events, "more": more, "message": "\n".join(lines)}
