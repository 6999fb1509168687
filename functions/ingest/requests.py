"""Translate what clients post, plain events or CloudEvents, into one kind of record.

The two forms of one event make the same record: the same content has the same hash, whichever way it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from functions.ingest.checking import (
    TITLE,
    check_headers,
    check_options,
    checked,
    correlation_of,
    is_correlation,
    key_of,
    wishes_of,
)
from functions.ingest.documents import ManyUsers, PlainEvent
from shared import cloudevents, strict_json
from shared.cloudevents import MAX_BATCH, MAX_BATCH_BYTES, ExternalEvent, Mode
from shared.errors import Refused
from shared.headers import Headers, lowered, require_media_type, valid_traceparent
from shared.ids import fan_out_id
from shared.problems import FieldsRefused
from shared.submissions import HEADER_KEY_SOURCE, FanOut, Submission, digest, later_parts

__all__ = ["Item", "Submission", "cloud_event", "is_of_many", "plain_event", "read"]

PLAIN_SOURCE = "events"
FAN_OUT_SOURCE = "fan-out"

_NOTHING: Mapping[str, str] = MappingProxyType({})
_EXTENSIONS = MappingProxyType(
    {
        "expires_at": "expirytime",
        "collapse_key": "collapsekey",
        "send_at": "sendat",
        "on_ambiguous": "onambiguous",
        "priority": "priority",
    }
)
"""What a plain event says at its top, and a CloudEvent in extension attributes."""

Item = Submission | FanOut | Refused


def is_of_many(headers: Headers, body: bytes) -> bool:
    """Tell whether a request posts an array, and is answered with one."""
    mode = cloudevents.mode(headers)
    return mode is Mode.BATCHED or (mode is None and body[:1] in b"[ \t\r\n" and body.lstrip()[:1] == b"[")


def read(headers: Mapping[str, str], body: bytes, *, tenant: str = "default") -> list[Item]:
    """Read what one request submits, in any of the forms. Only of many there are refusals among them.

    Raises:
        Refused: 400, 413, 415 or 422: the whole request, or its only event.
    """
    known = lowered(headers)
    check_headers(known)
    mode = cloudevents.mode(known)
    if mode is None:
        require_media_type(known)
        return _many(body, known, tenant) if is_of_many(known, body) else [_alone(body, known, tenant)]
    events = cloudevents.from_http(known, body)
    if mode is not Mode.BATCHED:
        return [cloud_item(event, known, tenant=tenant) for event in events if isinstance(event, ExternalEvent)]
    return [_or_refusal(lambda one: cloud_item(one, known, tenant=tenant), event) for event in events]


def _alone(body: bytes, headers: Headers, tenant: str) -> Submission | FanOut:
    document = strict_json.parse(body, MAX_BATCH_BYTES)
    if _is_for_many(document):
        return fan_out(document, headers, tenant=tenant)
    if len(body) > strict_json.MAX_BYTES:
        raise strict_json.too_large(strict_json.MAX_BYTES)
    return plain_event(document, headers, tenant=tenant)


def _many(body: bytes, headers: Headers, tenant: str) -> list[Item]:
    documents = strict_json.parse_array(body, MAX_BATCH_BYTES)
    if len(documents) > MAX_BATCH:
        raise Refused(413, "Batch too large", f"An array may have {MAX_BATCH} events at most.", field="body")

    def one(placed: tuple[int, Any]) -> Submission | FanOut:
        place, document = placed
        read_one = fan_out if _is_for_many(document) else plain_event
        return read_one(document, headers, tenant=tenant, place=place)

    return [
        document if isinstance(document, Refused) else _or_refusal(one, (place, document))
        for place, document in enumerate(documents)
    ]


def _or_refusal(read_one: Callable[[Any], Submission | FanOut], document: Any) -> Item:
    if isinstance(document, Refused):
        return document
    try:
        return read_one(document)
    except Refused as refused:
        return refused


def _is_for_many(document: Any) -> bool:
    return isinstance(document, dict) and "user_ids" in document


def plain_event(
    document: Any, headers: Mapping[str, str], *, tenant: str = "default", place: int | None = None
) -> Submission:
    """Translate a plain event, as `strict_json` read it. The Idempotency-Key header goes before the event's own id.

    Of many events at their places one header cannot be the key: there it stands only for those without an id.

    Raises:
        Refused: 400, a header; 415, it is a CloudEvent under a wrong content type; 422, the event.
    """
    known = lowered(headers)
    if isinstance(document, dict) and "specversion" in document and "event_type" not in document:
        hint = "A structured CloudEvent must be sent as application/cloudevents+json."
        raise Refused(415, "Unsupported media type", hint, field="Content-Type")
    event = checked(PlainEvent, document)
    check_options(document["data"])
    key, wishes = _key(event, known, place), wishes_of(event)
    later = later_parts(event.expires_at, event.collapse_key, event.send_at, wishes)
    return Submission(
        tenant=tenant,
        source=HEADER_KEY_SOURCE if key else event.source or PLAIN_SOURCE,
        key=key or event.id,
        user_id=event.user_id,
        event_type=event.event_type,
        event_time=event.timestamp,
        data=document["data"],
        preferred_channel=event.data.preferred_channel,
        correlation_id=correlation_of(known),
        traceparent=valid_traceparent(known.get("traceparent")),
        expires_at=event.expires_at,
        collapse_key=event.collapse_key,
        send_at=event.send_at,
        wishes=wishes,
        is_key_of_request=key is not None,
        body_hash=digest(event.event_type, event.user_id, document["data"], later),
    )


def _key(event: PlainEvent, headers: Headers, place: int | None) -> str | None:
    """Find the key that the request gives to an event: that of the request, or its part for this place."""
    key = key_of(headers)
    if place is None or key is None:
        return key
    return None if event.id else f"{key}\x1f{place}"


def cloud_item(event: ExternalEvent, headers: Headers, *, tenant: str) -> Submission | FanOut:
    """Translate a CloudEvent for one user, or for many where its data names `user_ids` and nothing names one.

    Raises:
        Refused: 400, a header; 422, the event.
    """
    data = event.data
    if event.subject is not None or not _is_for_many(data) or "user_id" in data:
        return cloud_event(event, headers, tenant=tenant)
    users = _users(data, "data.user_ids")
    rest = {name: value for name, value in data.items() if name != "user_ids"} | {"user_id": users[0]}
    return _for_many(cloud_event(replace(event, data=rest), headers, tenant=tenant), users)


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
    said = checked(PlainEvent, plain, {"event_type": "type", "user_id": user_field, **_EXTENSIONS})
    check_options(data)
    correlation, wishes = event.extensions.get("correlationid", ""), wishes_of(said)
    later = later_parts(said.expires_at, said.collapse_key, said.send_at, wishes)
    return Submission(
        tenant=tenant,
        source=event.source,
        key=event.id,
        user_id=said.user_id,
        event_type=said.event_type,
        event_time=event.time,
        data=data,
        preferred_channel=said.data.preferred_channel,
        correlation_id=correlation_of(lowered(headers)) or (correlation if is_correlation(correlation) else None),
        traceparent=event.traceparent,
        expires_at=said.expires_at,
        collapse_key=said.collapse_key,
        send_at=said.send_at,
        wishes=wishes,
        body_hash=digest(said.event_type, said.user_id, data, later),
    )


def fan_out(document: Any, headers: Mapping[str, str], *, tenant: str = "default", place: int | None = None) -> FanOut:
    """Translate a plain event for many users.

    Raises:
        Refused: 400, a header; 413, it is too large for one event; 422, the event.
    """
    if "user_id" in document:
        raise FieldsRefused(422, TITLE, [("user_ids", "It must not stand beside user_id.")])
    users = _users(document, "user_ids")
    alone = {name: value for name, value in document.items() if name != "user_ids"} | {"user_id": users[0]}
    return _for_many(plain_event(alone, headers, tenant=tenant, place=place), users)


def _users(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = checked(ManyUsers, document, {"user_ids": name}).user_ids
    return tuple(dict.fromkeys(found))


def _for_many(first: Submission, users: tuple[str, ...]) -> FanOut:
    """Make an event for many of the event for the first of them."""
    key = fan_out_id(first.tenant, first.source, first.key) if first.key else uuid4()
    event = replace(
        first,
        source=first.source if first.key else FAN_OUT_SOURCE,
        key=first.key or str(key),
        user_id="",
        correlation_id=first.correlation_id or str(key),
        body_hash=b"",
        is_key_of_request=False,
    )
    return FanOut(
        id=key,
        event=event,
        user_ids=users,
        body_hash=first.digest_for(users),
        is_key_of_request=first.is_key_of_request,
    )
