"""What is said about keys and tokens."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)

from shared.access import Access
from shared.rates import parse_rate
from shared.store.keys import KeyRecord
from shared.whole_numbers import WHOLE

LONGEST_GRACE_SECONDS = 30 * 86_400
SHORTEST_TOKEN_SECONDS, LONGEST_TOKEN_SECONDS = 60, 86_400


def _rate(text: str) -> str:
    parse_rate(text)
    return text


def _user_id(value: object) -> object:
    """1 equals "1", as in an event."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
RateLimit = Annotated[
    str, AfterValidator(_rate), Field(json_schema_extra={"pattern": r"^(off|[1-9][0-9]{0,6}/[smh])$"})
]
UserId = Annotated[
    str,
    BeforeValidator(_user_id, json_schema_input_type=str | int),
    StringConstraints(strict=True, min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$"),
]
Scope = Literal[Access.SEND, Access.READ, Access.MANAGE, Access.RECEIPTS, Access.ADMIN]


class KeyStatus(StrEnum):
    """What has become of a key."""

    ACTIVE = "active"
    ROTATED = "rotated"  # another one has taken its place; it is good until its grace ends
    EXPIRED = "expired"
    REVOKED = "revoked"


def _may_repeat(schema: dict[str, JsonValue]) -> None:
    """Twice is once, so nobody is told that it must not be."""
    schema.pop("uniqueItems")


class NewKeyDocument(BaseModel):
    """A key as it is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    scopes: Annotated[frozenset[Scope], Field(min_length=1, json_schema_extra=_may_repeat)]
    expires_at: AwareDatetime | None = None
    rate_limit: RateLimit | None = Field(
        None, description="100/s, 6000/m or 1000/h; off for none; left out, the installation's own."
    )


class RotationDocument(BaseModel):
    """How long the old key is good beside the new one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grace_seconds: Annotated[int, Field(strict=True, ge=0, le=LONGEST_GRACE_SECONDS), WHOLE] = 86_400


class KeyDocument(BaseModel):
    """A key as it is shown."""

    id: UUID
    name: str
    scopes: list[str]
    rate_limit: str | None
    status: KeyStatus
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None

    @classmethod
    def of(cls, record: KeyRecord) -> KeyDocument:
        """Show what is kept."""
        return cls.model_validate(record, from_attributes=True)


class MadeKeyDocument(KeyDocument):
    """A key as it is shown once."""

    key: str = Field(repr=False, description="Shown now and never again.")

    @classmethod
    def made(cls, record: KeyRecord, key: str) -> MadeKeyDocument:
        """Show what is kept, and the key itself."""
        return cls(**KeyDocument.of(record).model_dump(), key=key)


class KeyPage(BaseModel):
    """A page of keys, the newest first."""

    keys: list[KeyDocument]
    next_cursor: str | None


class TokenRequest(BaseModel):
    """Whose token is asked for, for how long, and what an operator may do with it besides being that person."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: UserId
    expires_in: Annotated[int, Field(strict=True, ge=SHORTEST_TOKEN_SECONDS, le=LONGEST_TOKEN_SECONDS), WHOLE] = 3_600
    scopes: Annotated[frozenset[Scope], Field(json_schema_extra=_may_repeat)] = frozenset()


class TokenDocument(BaseModel):
    """A token, as RFC 6749 (5.1) writes one down."""

    token: str = Field(repr=False)
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme's name
    expires_in: int


class MeDocument(BaseModel):
    """Who calls, and what they may do."""

    tenant: str
    name: Annotated[str, Field(description="As it stands in records of what was done.")]
    scopes: list[Scope]
    is_open: Annotated[bool, Field(description="Whether the API asks nobody for a key.")]
    version: str
