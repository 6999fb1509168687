"""What operators say, and are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.statuses import Channel


class SuppressionDocument(BaseModel):
    """Why nothing is to be sent to an address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SuppressionAnswer(BaseModel):
    """An address to which nothing is sent any more."""

    channel: Channel
    address: str
    reason: str
    created_at: datetime


class Suppressions(BaseModel):
    """A page of suppressions."""

    suppressions: list[SuppressionAnswer]
    next_cursor: Annotated[str | None, Field(description="Where the next page begins; null when there is none.")]
