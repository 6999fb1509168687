"""The events that the steps send each other, and their one form on the wire.

A structured CloudEvent 1.0 in JSON: the only form that survives Knative's RabbitmqSource whole. It carries ids, never
a contact or a content, so that queues hold no personal data. What came of an attempt is not in the message either: it
points at the row, so a forged or stale message moves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from shared.errors import Garbage
from shared.statuses import Channel

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
TRACEPARENT = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
TENANT = r"^[a-z0-9][a-z0-9_-]{0,62}$"


class EventType(StrEnum):
    """What the steps tell each other: facts in the past, requests with their name."""

    NOTIFICATION_ACCEPTED = "carillon.notification.accepted"  # ingest, sweep -> orchestrate
    FAN_OUT_REQUESTED = "carillon.fan_out.requested"  # ingest, orchestrate, sweep -> orchestrate
    DELIVERY_REQUESTED = "carillon.delivery.requested"  # orchestrate, sweep -> deliver
    DELIVERY_SUCCEEDED = "carillon.delivery.succeeded"  # deliver -> orchestrate
    DELIVERY_FAILED = "carillon.delivery.failed"  # deliver -> orchestrate
    RECEIPT_RECORDED = "carillon.receipt.recorded"  # realtime, callbacks -> orchestrate
    NOTIFICATION_DUE = "carillon.notification.due"  # orchestrate, deliver -> orchestrate: look at it again
    COMPENSATION_REQUESTED = "carillon.compensation.requested"  # orchestrate, sweep -> compensate
    NOTIFICATION_FAILED = "carillon.notification.failed"  # compensate -> the parking lot
    BUNDLE = "carillon.bundle"  # any of them -> any of them: several events in one message
    TICK = "dev.knative.sources.ping"  # PingSource -> sweep


class Reference(BaseModel):
    """What an event is about: the row, and the attempt where it is about one.

    One event for many users is no notification yet; `position` says how many of them were asked for before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    notification_id: UUID | None = None
    channel: Channel | None = None
    attempt: int = 0
    epoch: int = 0
    token: UUID | None = None
    fan_out_id: UUID | None = None
    position: int = 0


class Event(BaseModel):
    """One CloudEvent between steps. Unknown attributes are let through: a newer sender may add some."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Annotated[str, StringConstraints(pattern=r"^1\.0$")] = "1.0"
    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    type: EventType
    tenant: Annotated[str, StringConstraints(pattern=TENANT)] = "default"
    traceparent: Annotated[str, StringConstraints(pattern=TRACEPARENT)] | None = Field(
        None, validation_alias=AliasChoices("traceparent", AliasPath("data", "traceparent"))
    )
    """The trace that it belongs to. It travels in the data, too: a dispatcher eats the attribute (measured)."""

    data: Reference = Field(default_factory=Reference)
    members: tuple[Event, ...] = Field((), min_length=1, validation_alias=AliasPath("data", "members"))
    """Of a bundle: the events that travel in it, each whole."""


def encode(event: Event) -> bytes:
    """Write an event as a structured CloudEvent; id and source may be anybody's choice, so they are escaped."""
    pointed = point(event.data)
    return _write(
        (json.dumps(event.id), json.dumps(event.source)), event.type, event.tenant, event.traceparent, pointed
    )


def write(key: str, source: str, kind: EventType, tenant: str, traceparent: str | None, data: str) -> bytes:
    """Write an event of ours without a record of it: every part is of a closed alphabet and needs no escaping."""
    return _write((f'"{key}"', f'"{source}"'), kind, tenant, traceparent, data)


def write_bundle(key: str, bodies: Sequence[bytes]) -> bytes:
    """Write one structured CloudEvent that carries several, as they are."""
    return b'%b"id":%b,"source":"/carillon","datacontenttype":"application/json","data":{"members":[%b]}}' % (
        _BUNDLE,
        json.dumps(key).encode(),
        b",".join(bodies),
    )


_BUNDLE = f'{{"specversion":"1.0","type":"{EventType.BUNDLE.value}",'.encode()


def is_bundle(body: bytes) -> bool:
    """Tell whether it begins as the bundles do that we write."""
    return body.startswith(_BUNDLE)


def point(reference: Reference) -> str:
    """Write the members of an event's data."""
    parts = [f'"notification_id":"{reference.notification_id}"'] if reference.notification_id else []
    if reference.channel:
        parts.append(f'"channel":"{reference.channel.value}","attempt":{reference.attempt}')
    if reference.token:
        parts.append(f'"token":"{reference.token}"')
    if reference.fan_out_id:
        parts.append(f'"fan_out_id":"{reference.fan_out_id}","position":{reference.position}')
    parts.append(f'"epoch":{reference.epoch}')
    return ",".join(parts)


def _write(names: tuple[str, str], kind: EventType, tenant: str, traceparent: str | None, data: str) -> bytes:
    trace = f'"traceparent":"{traceparent}"' if traceparent else ""
    return (
        f'{{"specversion":"1.0","id":{names[0]},"source":{names[1]},"type":"{kind.value}","tenant":"{tenant}",'
        f'{trace}{"," if trace else ""}"datacontenttype":"application/json",'
        f'"data":{{{data}{"," if trace else ""}{trace}}}}}'
    ).encode()


def decode(body: bytes) -> Event:
    """Read one structured CloudEvent.

    Raises:
        Garbage: the bytes are no event of ours; the reason names the place, never the content.
    """
    try:
        return Event.model_validate_json(body)
    except ValidationError as broken:
        raise Garbage(_describe(broken)) from None


def from_attributes(attributes: dict[str, Any], data: object) -> Event:
    """Read an event that arrived in binary mode: attributes apart from the data.

    Raises:
        Garbage: it is no event of ours.
    """
    try:
        return Event.model_validate({**attributes, "data": data if data is not None else {}})
    except ValidationError as broken:
        raise Garbage(_describe(broken)) from None


def _describe(broken: ValidationError) -> str:
    first = broken.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'body'}: {first['msg']}"[:300]


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that were meant to be an event and are none, kept with the reason."""

    body: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class MixedBundle:
    """A bundle of which not every member is an event of ours: the others are no worse for it."""

    members: Sequence[Event | Garbled]


def unpack(document: object) -> MixedBundle | None:
    """Read the members of a bundle that cannot be read as a whole, each alone; None: it is no bundle."""
    if not isinstance(document, Mapping) or document.get("type") != EventType.BUNDLE.value:
        return None
    data = document.get("data")
    members = data.get("members") if isinstance(data, Mapping) else None
    if not isinstance(members, list) or not members:
        return None
    return MixedBundle([read_one(json.dumps(member).encode()) for member in members])


def read_one(text: bytes) -> Event | Garbled:
    """Read an event, or keep what is none."""
    try:
        return decode(text)
    except Garbage as garbage:
        return Garbled(text, str(garbage))
