"""Workflows: a tenant's rule for an event type."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.digests import Digest
from shared.options import Options
from shared.saga import OnAmbiguous, Plan, Strategy
from shared.statuses import Channel

DIGEST_TEMPLATE = "digest"
"""The words of a digest whose workflow names no template."""

Seconds = Annotated[float, Field(strict=True, gt=0, le=86_400)]
Lifetime = Annotated[float, Field(strict=True, ge=60, le=7 * 86_400)]


class Workflow(BaseModel):
    """What an event type means: its category, the channels in their order, and the policy.

    Without channels, every channel of this installation is tried in the order of the enumeration. With `escalate`,
    `unless_delivered_within_seconds` gives a channel another time than `escalate_after_seconds`. `correction` is the
    template of the message that follows one that was sent, must be undone, and cannot be taken back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = "general"
    channels: tuple[Channel, ...] = ()
    template: str = "plain"
    correction: str | None = None
    strategy: Strategy = Strategy.FIRST
    escalate_after_seconds: Seconds | None = None
    expires_after_seconds: Lifetime | None = None
    retry_seconds: Annotated[tuple[Seconds, ...], Field(max_length=10)] = (2, 4, 8)
    on_ambiguous: OnAmbiguous = OnAmbiguous.RESEND
    unless_delivered_within_seconds: dict[Channel, Seconds] = Field(default_factory=dict)
    options: Options = Options()
    digest: Digest | None = None

    @model_validator(mode="after")
    def _is_one_strategy(self) -> Self:
        if (self.escalate_after_seconds is not None) != (self.strategy is Strategy.ESCALATE):
            raise ValueError("the strategy escalate, and no other, has escalate_after_seconds")
        if self.unless_delivered_within_seconds and self.strategy is Strategy.ALL:
            raise ValueError("with the strategy all there is no next channel to fall back to")
        return self

    def plan(self) -> Plan:
        """Pin this workflow for one notification."""
        return Plan(
            category=self.category,
            template=self.template,
            strategy=self.strategy,
            retry_seconds=self.retry_seconds,
            on_ambiguous=self.on_ambiguous,
            unless_delivered_within_seconds=self._acknowledged_within_seconds(),
            correction=self.correction,
            options=self.options.by_channel(),
        )

    def plan_of_digest(self) -> Plan:
        """Pin this workflow for the message of a digest: in the words for digests, unless it names its own."""
        plan = self.plan()
        return plan if "template" in self.model_fields_set else plan.but(template=DIGEST_TEMPLATE)

    def _acknowledged_within_seconds(self) -> dict[Channel, float]:
        every = dict.fromkeys(Channel, self.escalate_after_seconds) if self.escalate_after_seconds else {}
        return {**every, **self.unless_delivered_within_seconds}

    def wanted(self, preferred: Channel | None) -> tuple[Channel, ...]:
        """List the channels in order; the one that the event prefers is always among them."""
        channels = self.channels or tuple(Channel)
        return channels if preferred is None or preferred in channels else (preferred, *channels)


DEFAULT = Workflow()
DEFAULT_PLAN = DEFAULT.plan()
