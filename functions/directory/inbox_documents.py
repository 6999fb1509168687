"""What clients say about their messages, and are told."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.whole_numbers import WHOLE

MOST_MARKED = 500

Ids = Annotated[list[UUID], Field(min_length=1, max_length=MOST_MARKED, description="The notifications' ids.")]


class MarkDocument(BaseModel):
    """Which messages are meant. What is nobody's, or somebody else's, is left alone without a word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: Ids


class ReadDocument(BaseModel):
    """Which messages were read: those with these ids, or all of them, up to a cursor or up to now."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "oneOf": [{"required": ["ids"], "not": {"required": ["until"]}}, {"required": ["all"]}],
        },
    )

    ids: Ids = Field(default_factory=list)
    everything: Annotated[Literal[True], Field(alias="all", description="All of them.")] = True
    until: Annotated[
        int,
        Field(strict=True, ge=0, le=999_999_999_999_999_999, description="With `all`: up to this cursor alone."),
        WHOLE,
    ] = 0

    @property
    def is_about_all(self) -> bool:
        """Whether all of them are meant."""
        return "everything" in self.model_fields_set

    @property
    def last(self) -> int | None:
        """Up to where, if it is said."""
        return self.until if "until" in self.model_fields_set else None

    @model_validator(mode="before")
    @classmethod
    def _one_way(cls, said: Any) -> Any:
        if isinstance(said, dict) and ("ids" in said) == ("all" in said):
            raise PydanticCustomError("one_way", "It must have either ids or all")
        if isinstance(said, dict) and "until" in said and "all" not in said:
            raise PydanticCustomError("one_way", "until belongs to all")
        return said


class MarkAnswer(BaseModel):
    """What came of it."""

    changed: Annotated[int, Field(description="How many were not marked so before.")]
    unread: Annotated[int, Field(description="How many wait unread now; it is counted up to 1,000.")]
