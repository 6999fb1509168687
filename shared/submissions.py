"""What was accepted, in whichever form it came, as one record; and what makes it the same event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from shared import strict_json
from shared.errors import Refused
from shared.ids import notification_id
from shared.new_ids import new_id
from shared.quick import quick
from shared.statuses import Channel
from shared.store.intake import NewNotification
from shared.store.recipients import Recipient
from shared.timestamps import write_timestamp
from shared.wishes import NO_WISHES, Wishes

HEADER_KEY_SOURCE = "idempotency-key"

_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One event for one user, as accepted. Without a `key` it is new each time.

    A key that is the request's own (`Idempotency-Key`) is used once, whoever the user is; an event's id once per user.
    """

    tenant: str
    source: str
    key: str | None
    user_id: str
    event_type: str
    event_time: datetime | None
    data: dict[str, Any] = field(repr=False)
    preferred_channel: Channel | None
    correlation_id: str | None
    traceparent: str | None
    body_hash: bytes = b""
    expires_at: datetime | None = None
    collapse_key: str | None = None
    send_at: datetime | None = None
    wishes: Wishes = NO_WISHES
    recipient: Recipient | None = None
    is_key_of_request: bool = False

    def row(self) -> NewNotification:
        """Make the row that is kept."""
        person = "" if self.is_key_of_request else self.user_id
        return NewNotification(
            id=notification_id(self.tenant, self.source, self.key, person) if self.key else new_id(),
            tenant=self.tenant,
            user_id=self.user_id,
            event_type=self.event_type,
            source=self.source,
            body_hash=self.body_hash,
            data=self.data,
            preferred=self.preferred_channel.value if self.preferred_channel else None,
            event_time=self.event_time,
            correlation_id=self.correlation_id,
            traceparent=self.traceparent,
            expires_at=self.expires_at,
            collapse_key=self.collapse_key,
            send_at=self.send_at,
            wishes=None if self.wishes is NO_WISHES else self.wishes.to_json(),
            recipient=self.recipient,
        )

    def for_user(self, user_id: str) -> Submission:
        """Copy it for another user."""
        return replace(self, user_id=user_id, body_hash=self.digest_for(user_id))

    def digest_for(self, user: object) -> bytes:
        """Digest it as it would be for a user, or for several."""
        later = later_parts(self.expires_at, self.collapse_key, self.send_at, self.wishes)
        return digest(self.event_type, user, self.data, later)


def digest(event_type: str, user: object, data: Mapping[str, Any], later: Sequence[Any] = ()) -> bytes:
    """Digest what makes an event the same event. Its time does not: senders stamp a repetition anew.

    Raises:
        Refused: 413, one event of many is larger than one alone may be.
    """
    canonical = _CANONICAL.encode([event_type, user, data, *later]).encode()
    if len(canonical) > strict_json.MAX_BYTES and isinstance(user, str):
        raise Refused(413, "Event too large", f"An event may have {strict_json.MAX_BYTES} bytes at most.", field="data")
    return hashlib.sha256(canonical).digest()


def later_parts(
    expires_at: datetime | None, collapse_key: str | None, send_at: datetime | None, wishes: Wishes
) -> Sequence[Any]:
    """List what is digested beyond the oldest fields: what has none of the later ones keeps the digest that it had."""
    more: dict[str, Any] = {}
    if wishes is not NO_WISHES or send_at:
        more = dict(wishes.to_json() or {}) | ({"send_at": write_timestamp(send_at)} if send_at else {})
    if not (expires_at or collapse_key or more):
        return ()
    parts: list[Any] = [write_timestamp(expires_at) if expires_at else None, collapse_key]
    if more:
        parts.append(more)
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """One event for many users: the event as it is for each of them, but for the user."""

    id: UUID
    event: Submission
    user_ids: tuple[str, ...] = field(repr=False)
    body_hash: bytes
    is_key_of_request: bool = False


_EVENT = TypeAdapter(Submission)


def write_event(event: Submission) -> str:
    """Write an event without its user, to the last digit as it came: what is read from it has the same digest."""
    return _EVENT.dump_json(event).decode()


def rows_for(event: str, user_ids: tuple[str, ...]) -> list[NewNotification]:
    """Make the rows of an event, as `write_event` wrote it, for some users."""
    known = _EVENT.validate_json(event)
    return [known.for_user(user).row() for user in user_ids]
