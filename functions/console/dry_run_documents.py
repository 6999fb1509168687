"""What a replay would do, as operators are told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.problem_document import Problem
from shared.statuses import Channel
from shared.store.breakers import BreakerState

LARGEST_SET = 100
Verdict = Literal["send", "hold", "skip", "nothing"]


class DryRunsAsked(BaseModel):
    """Of which dead letters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ids: Annotated[list[UUID], Field(min_length=1, max_length=LARGEST_SET)]


class HoldDocument(BaseModel):
    """What it would wait for; `until` is null where nobody knows."""

    rule: str
    why: str
    until: datetime | None


class StepDocument(BaseModel):
    """One channel, and what it would be told. Of a channel that is passed over only the reason is sure."""

    channel: Channel
    verdict: Annotated[
        Literal["first", "fallback", "passed"],
        Field(description="Asked at once; asked if the ones before it do not do; not asked."),
    ]
    why: str
    to: Annotated[str | None, Field(description="The address as it is now; of push the number of devices.")]
    provider: Annotated[str | None, Field(description="Null where this process is not told of any.")]
    provider_state: Annotated[BreakerState | None, Field(description="How its breaker is; null without a provider.")]
    subject: str | None
    text: str | None
    html: str | None


class DryRunDocument(BaseModel):
    """What a replay would do now, by today's data. Nothing was done."""

    id: Annotated[UUID, Field(description="The dead letter's id.")]
    notification_id: UUID | None
    verdict: Annotated[
        Verdict,
        Field(description="It is sent; it waits first; nobody wants it; it would come to nothing again."),
    ]
    why: str
    holds: list[HoldDocument]
    steps: Annotated[list[StepDocument], Field(description="Every channel that is wanted, in the order of the turns.")]


class DryRunRefused(BaseModel):
    """One of many that is not there."""

    id: UUID
    problem: Problem


class DryRuns(BaseModel):
    """What each would do, in their order."""

    results: list[DryRunDocument | DryRunRefused]
