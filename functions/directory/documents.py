"""What clients say about a user, and are told."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from shared.addresses import INTEGER, Chat, Email, Phone
from shared.contact_policy import QuietHoursRule, TimeZone, Wishes
from shared.statuses import PushService
from shared.workflow_files import MOST_WORKFLOWS
from shared.workflows import Workflow

MAX_BULK = 1_000


def _as_text(value: object) -> object:
    """Let an id be an integer: 1 is "1", here as in events."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, StringConstraints(strict=True, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Locale = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
_USER_ID = r"^[^\x00-\x1f\x7f-\x9f]{1,128}$"
UserId = Annotated[
    str,
    StringConstraints(strict=True, pattern=_USER_ID),
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": _USER_ID}, INTEGER]}),
]
Platform = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9-]{0,32}$")]


def _hours(value: object) -> object:
    """Let a rule that is wrong be told as one: a union would name its branches instead of the field."""
    return value if value is None or value is False else QuietHoursRule.model_validate(value)


OwnQuietHours = Annotated[QuietHoursRule | Literal[False] | None, BeforeValidator(_hours)]
EventType = Annotated[str, StringConstraints(pattern=r"^(\*|[A-Za-z0-9._:/-]{1,128})$")]


class UserDocument(BaseModel):
    """A user as posted: what is left out is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    email: Email | None = Field(default=None, repr=False)
    phone: Phone | None = Field(default=None, repr=False)
    whatsapp: Phone | None = Field(
        default=None, repr=False, description="Where it is not the phone number that the person has for everything."
    )
    telegram: Chat | None = Field(default=None, repr=False)
    locale: Locale = "en"
    time_zone: TimeZone | None = Field(default=None, description="An IANA name; without one, the tenant's.")


class NewUserDocument(UserDocument):
    """A user as posted, with an id of the client's own, or without one."""

    id: UserId | None = None


class BulkDocument(BaseModel):
    """Up to a thousand users. Each is checked alone, so that one that is wrong does not harm the others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    users: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_BULK)]


class UserPatch(BaseModel):
    """What is to change of a user (RFC 7396): what is left out stays, null takes away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name | None = None
    email: Email | None = Field(default=None, repr=False)
    phone: Phone | None = Field(default=None, repr=False)
    whatsapp: Phone | None = Field(default=None, repr=False)
    telegram: Chat | None = Field(default=None, repr=False)
    locale: Locale | None = None
    time_zone: TimeZone | None = None


class UserAnswer(UserDocument):
    """A user."""

    id: str


class UsersAnswer(BaseModel):
    """A page of users, in the order of their ids; `next_cursor` is null on the last one."""

    users: list[UserAnswer]
    next_cursor: str | None


class BulkStatus(StrEnum):
    """What came of one user of a set."""

    CREATED = "created"
    UPDATED = "updated"


class BulkResult(BaseModel):
    """What came of one user of a set: its status, or the problem document that says what is wrong with it."""

    id: str | None = None
    status: BulkStatus | None = None
    problem: dict[str, Any] | None = None


class BulkAnswer(BaseModel):
    """What came of each user of a set, in the order in which they were posted."""

    results: list[BulkResult]


class PreferencesDocument(BaseModel):
    """What a person wants: by category and channel, `*` is every category. What is left out is the tenant's default.

    `quiet_hours`: left out or null, the tenant's; `false`, none at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    preferences: Wishes = Field(default_factory=dict)
    quiet_hours: OwnQuietHours = None
    time_zone: TimeZone | None = None


class PreferencesAnswer(PreferencesDocument):
    """What a person has said, and which categories come whatever they say."""

    id: str
    critical: tuple[str, ...]


class ErasureStatus(StrEnum):
    """How far an erasure is."""

    UNDER_WAY = "under way"
    FINISHED = "finished"


class ErasureAnswer(BaseModel):
    """The record that a person is forgotten; it does not say who. `notifications` is how many were theirs so far."""

    id: UUID
    status: ErasureStatus
    requested_at: datetime
    finished_at: datetime | None
    notifications: int


class DeviceDocument(BaseModel):
    """A device as registered: who gave its token, and what it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: PushService
    platform: Platform = ""


class DeviceAnswer(DeviceDocument):
    """A device as kept."""

    token: str


class ListedDevice(DeviceAnswer):
    """A device, and since when it is known."""

    registered_at: datetime


class Devices(BaseModel):
    """A user's devices."""

    devices: list[ListedDevice]


class WorkflowAnswer(Workflow):
    """The workflow that an event type follows."""

    event_type: str


class WorkflowsAnswer(BaseModel):
    """A page of a tenant's own workflows by event type."""

    workflows: tuple[WorkflowAnswer, ...]
    next_cursor: str | None


class ImportDocument(BaseModel):
    """Workflows by their event types, `*` being the tenant's default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflows: Annotated[dict[EventType, Workflow | None], Field(max_length=MOST_WORKFLOWS)]


class ImportedAnswer(BaseModel):
    """What was read, and how many of them are new or changed."""

    event_types: tuple[str, ...]
    changed: int
