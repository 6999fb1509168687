"""Translate what clients post, a plain event or a CloudEvent, into one record.

The two forms of one event make the same record: the same content has the same hash, whichever way it came.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from shared import cloudevents, strict_json
from shared.cloudevents import ExternalEvent
from shared.errors import Refused
from shared.headers import Headers, lowered, require_media_type, valid_traceparent
from shared.options import Options
from shared.problems import FieldsRefused, refused_fields
from shared.statuses import Channel
from shared.timestamps import read_timestamp, write_timestamp

MAX_SOURCE_BYTES = 512
"""Source and key are indexed together; Postgres refuses index rows beyond 2,704 bytes."""

HEADER_KEY_SOURCE = "idempotency-key"
PLAIN_SOURCE = "events"
TITLE = "Invalid event"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_KEY = re.compile(r"[!-~]{1,255}")
_CORRELATION_ID = re.compile(r"[!-~]{1,128}")
_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)
_NOTHING: Mapping[str, str] = MappingProxyType({})
_EXTENSIONS = MappingProxyType({"expires_at": "expirytime", "collapse_key": "collapsekey"})
"""What a plain event says at its top, and a CloudEvent in extension attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One event for one user, as accepted. Without a `key` it is new each time."""

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
    body_hash: bytes
    expires_at: datetime | None = None
    collapse_key: str | None = None


def _identifier(value: object) -> object:
    """Let 1 equal "1". To Python a boolean is an integer; to the people who post it, it is not."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("identifier", "It must be an integer or a string")
    if not value.strip() or (not value.isprintable() and _CONTROL.search(value)):
        raise PydanticCustomError("identifier", "It must not be blank or hold control characters")
    return value


def _timestamp(value: object) -> object:
    moment = read_timestamp(value) if isinstance(value, str) else None
    if value is not None and moment is None:
        raise PydanticCustomError("timestamp", "It must be an RFC 3339 timestamp, such as 2026-11-20T10:00:00Z")
    return moment


def _expiry(value: object) -> object:
    moment = _timestamp(value)
    if isinstance(moment, datetime) and moment <= datetime.now(UTC):
        raise PydanticCustomError("expired", "It must not be in the past")
    return moment


def _message(value: object) -> object:
    if isinstance(value, str) and value and not value.strip():
        raise PydanticCustomError("blank", "It must not be blank")
    return value


def _indexable(value: str) -> str:
    if len(value.encode()) > MAX_SOURCE_BYTES:
        raise PydanticCustomError("too_long", f"It may have {MAX_SOURCE_BYTES} bytes at most")
    return value


UserId = Annotated[str, StringConstraints(max_length=128), BeforeValidator(_identifier)]
Key = Annotated[str, StringConstraints(max_length=255), BeforeValidator(_identifier)]
Source = Annotated[str, AfterValidator(_indexable), BeforeValidator(_identifier)]
EventType = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:/-]{1,128}$")]
Timestamp = Annotated[datetime | None, BeforeValidator(_timestamp)]
Expiry = Annotated[datetime | None, BeforeValidator(_expiry)]
Text = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=65_536), BeforeValidator(_message)]


class Content(BaseModel):
    """What an event's data must hold. The rest of the data is kept too: templates may use it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message: Text
    preferred_channel: Channel | None = None


class PlainEvent(BaseModel):
    """An event as clients without CloudEvents post it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: EventType
    user_id: UserId
    timestamp: Timestamp = None
    data: Content
    id: Key | None = None
    source: Source | None = None
    expires_at: Expiry = None
    collapse_key: Key | None = None


def read(headers: Mapping[str, str], body: bytes, *, tenant: str = "default") -> list[Submission | Refused]:
    """Read what one request submits, in any of the forms. Only a batch has refusals among its submissions.

    Raises:
        Refused: 400, 413, 415 or 422: the whole request, or its only event.
    """
    known = lowered(headers)
    mode = cloudevents.mode(known)
    if mode is None:
        require_media_type(known)
        return [plain_event(strict_json.parse(body), known, tenant=tenant)]
    events = cloudevents.from_http(known, body)
    if mode is not cloudevents.Mode.BATCHED:
        return [cloud_event(event, known, tenant=tenant) for event in events if isinstance(event, ExternalEvent)]
    return [_one_of_a_batch(event, known, tenant) for event in events]


def plain_event(document: Any, headers: Mapping[str, str], *, tenant: str = "default") -> Submission:
    """Translate a plain event, as `strict_json` read it. The Idempotency-Key header goes before the event's own id.

    Raises:
        Refused: 400, a header; 415, it is a CloudEvent under a wrong content type; 422, the event.
    """
    known = lowered(headers)
    if isinstance(document, dict) and "specversion" in document and "event_type" not in document:
        hint = "A structured CloudEvent must be sent as application/cloudevents+json."
        raise Refused(415, "Unsupported media type", hint, field="Content-Type")
    event = _validated(document)
    header_key = _checked_header(known, "Idempotency-Key", _KEY)
    return Submission(
        tenant=tenant,
        source=HEADER_KEY_SOURCE if header_key else event.source or PLAIN_SOURCE,
        key=header_key or event.id,
        user_id=event.user_id,
        event_type=event.event_type,
        event_time=event.timestamp,
        data=document["data"],
        preferred_channel=event.data.preferred_channel,
        correlation_id=_checked_header(known, "X-Correlation-ID", _CORRELATION_ID),
        traceparent=valid_traceparent(known.get("traceparent")),
        body_hash=_hash(event, document["data"]),
        expires_at=event.expires_at,
        collapse_key=event.collapse_key,
    )


def cloud_event(event: ExternalEvent, headers: Mapping[str, str] = _NOTHING, *, tenant: str = "default") -> Submission:
    """Translate a CloudEvent: its source and id are the key, whatever the headers say.

    Raises:
        Refused: 400, a header; 422, the event.
    """
    if not isinstance(event.data, dict):
        raise FieldsRefused(422, TITLE, [("data", "It must be a JSON object.")])
    data = {name: value for name, value in event.data.items() if name != "user_id"}
    user_id, user_field = event.data.get("user_id"), "data.user_id"
    if user_id is None and event.subject is not None:
        user_id, user_field = event.subject, "subject"
    if user_id is None:
        raise FieldsRefused(422, TITLE, [(user_field, "It is required, unless the event has a subject.")])
    plain = {"event_type": event.type, "user_id": user_id, "data": data, "id": event.id, "source": event.source}
    plain |= {ours: event.extensions[theirs] for ours, theirs in _EXTENSIONS.items() if theirs in event.extensions}
    checked = _validated(plain, {"event_type": "type", "user_id": user_field, **_EXTENSIONS})
    correlation = event.extensions.get("correlationid", "")
    return Submission(
        tenant=tenant,
        source=event.source,
        key=event.id,
        user_id=checked.user_id,
        event_type=checked.event_type,
        event_time=event.time,
        data=data,
        preferred_channel=checked.data.preferred_channel,
        correlation_id=_checked_header(lowered(headers), "X-Correlation-ID", _CORRELATION_ID)
        or (correlation if _CORRELATION_ID.fullmatch(correlation) else None),
        traceparent=event.traceparent,
        body_hash=_hash(checked, data),
        expires_at=checked.expires_at,
        collapse_key=checked.collapse_key,
    )


def _one_of_a_batch(event: ExternalEvent | Refused, headers: Headers, tenant: str) -> Submission | Refused:
    if isinstance(event, Refused):
        return event
    try:
        return cloud_event(event, headers, tenant=tenant)
    except Refused as refused:
        return refused


def _validated(document: Any, names: Mapping[str, str] = _NOTHING) -> PlainEvent:
    """Check an event; `names` says what its fields are called where the client can see them."""
    if not isinstance(document, dict):
        raise Refused(422, TITLE, "It must be a JSON object.", field="body")
    try:
        event = PlainEvent.model_validate(document)
    except ValidationError as broken:
        refused = refused_fields(broken, title=TITLE)
    else:
        _check_options(document["data"])
        return event
    raise FieldsRefused(422, TITLE, [(names.get(name, name), detail) for name, detail in refused.errors])


def _check_options(data: Mapping[str, Any]) -> None:
    """Refuse what a channel could not be told: later there would be nobody to answer to."""
    try:
        Options.of_event(data)
    except ValidationError as broken:
        refused = refused_fields(broken, title=TITLE)
    else:
        return
    raise FieldsRefused(422, TITLE, [(f"data.options.{name}", detail) for name, detail in refused.errors])


def _checked_header(headers: Headers, name: str, pattern: re.Pattern[str]) -> str | None:
    value = headers.get(name.lower())
    if value is not None and not pattern.fullmatch(value):
        raise Refused(400, "Invalid header", f"It must match {pattern.pattern}, in visible ASCII.", field=name)
    return value


def _hash(event: PlainEvent, data: dict[str, Any]) -> bytes:
    """Digest what makes an event the same event. Its time does not: senders stamp a repetition anew.

    Raises:
        Refused: 413, one event of a batch is larger than one alone may be.
    """
    parts: list[Any] = [event.event_type, event.user_id, data]
    if event.expires_at or event.collapse_key:  # the others keep the digest that they had before there were these
        parts += [write_timestamp(event.expires_at) if event.expires_at else None, event.collapse_key]
    canonical = _CANONICAL.encode(parts).encode()
    if len(canonical) > strict_json.MAX_BYTES:
        raise Refused(413, "Event too large", f"An event may have {strict_json.MAX_BYTES} bytes at most.", field="data")
    return hashlib.sha256(canonical).digest()
