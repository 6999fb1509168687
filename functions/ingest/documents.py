"""What clients post to the intake, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from functions.ingest.fields import EventType, Expiry, Key, SendAt, Source, Text, Timestamp, UserId
from shared.problem_document import Problem
from shared.saga import OnAmbiguous
from shared.statuses import Channel, NotificationStatus, PushService
from shared.wishes import Priority

MAX_USERS = 10_000
"""Of one event. What is more is posted in parts."""

MAX_SUBJECT = 400


class Wished(BaseModel):
    """What can be said of any notification: when it is sent, when it is too late, and how it is treated.

    `send_at` in the future schedules it; in the past it is sent at once. Without `expires_at` it expires 24 hours after
    it was due. A newer notification of the same user with the same `collapse_key` takes its place.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    send_at: SendAt = None
    expires_at: Expiry = None
    collapse_key: Key | None = None
    on_ambiguous: OnAmbiguous | None = None
    priority: Priority | None = None

    @field_validator("expires_at")
    @classmethod
    def _after_it_is_due(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        due = info.data.get("send_at")
        if value and due and value <= due:
            raise PydanticCustomError("expires_first", "It must be after send_at")
        return value


class Content(BaseModel):
    """What an event's data must hold. The rest of the data is kept too: templates may use it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    message: Text
    preferred_channel: Channel | None = None


class PlainEvent(Wished):
    """An event as clients without CloudEvents post it."""

    event_type: EventType
    user_id: UserId
    timestamp: Timestamp = None
    data: Content
    id: Key | None = None
    source: Source | None = None


class ManyUsers(BaseModel):
    """The users of one event for many: each is told once, however often they are named."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user_ids: Annotated[tuple[UserId, ...], Field(min_length=1, max_length=MAX_USERS)]


class EventForMany(Wished, ManyUsers):
    """An event for many users: each of them gets a notification, made after the answer."""

    event_type: EventType
    timestamp: Timestamp = None
    data: Content
    id: Key | None = None
    source: Source | None = None


class PostedEvents(RootModel[PlainEvent | EventForMany | list[PlainEvent | EventForMany]]):
    """One event for one user or for many, or up to 1,000 of them in an array."""


_TEMPLATE_OR_MESSAGE: list[JsonValue] = [
    {"required": ["template"], "properties": {"template": {"type": "string"}}},
    {
        "required": ["variables"],
        "properties": {
            "variables": {
                "type": "object",
                "required": ["message"],
                "properties": {"message": {"type": "string", "minLength": 1, "maxLength": 65_536, "pattern": r"\S"}},
            }
        },
    },
]


class SendRequest(Wished):
    """A template, or `variables.message` as it is, to a user on exactly one channel."""

    model_config = ConfigDict(json_schema_extra={"anyOf": _TEMPLATE_OR_MESSAGE})

    user_id: UserId
    channel: Channel
    template: EventType | None = None
    variables: dict[str, Any] = Field(default_factory=dict, repr=False)


class Addressed(Wished):
    """Words to an address. `recipient` is an address of that type; for `websocket` it is a user's id.

    A device's token is taken for OneSignal's where it is a UUID, else for FCM's, unless `provider` says whose it is.
    """

    type: Channel
    recipient: Annotated[Any, WithJsonSchema({"type": ["string", "integer"]}), Field(repr=False)]
    subject: Annotated[str, StringConstraints(strict=True, max_length=MAX_SUBJECT)] | None = Field(None, repr=False)
    message: Text = Field(repr=False)
    provider: PushService | None = None


class Kept(BaseModel):
    """One notification is kept."""

    id: UUID
    status: NotificationStatus


class FanOutDocument(BaseModel):
    """How far one event for many users has come. Each user before `expanded` has a notification, or had one.

    `conflicting` of them have one of the same event id with another body, which stays as it is.
    """

    fan_out_id: UUID
    status: Literal["expanding", "expanded"]
    total: int
    expanded: int
    conflicting: int = 0
    event_type: str
    created_at: datetime
    completed_at: datetime | None = None


class FanOutKept(BaseModel):
    """One event for many users is kept; what becomes of it is at `/events/fan-outs/{fan_out_id}`."""

    fan_out_id: UUID
    status: Literal["expanding", "expanded"]
    total: int


class OneRefused(BaseModel):
    """One of many that was refused."""

    problem: Problem


class Results(BaseModel):
    """What became of each event, in their order."""

    results: list[Kept | FanOutKept | OneRefused]


class Posted(RootModel[Kept | FanOutKept | Results]):
    """One event's answer, or the answers to many."""
