"""Workflows: a tenant's rule for an event type."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.saga import OnAmbiguous, Plan
from shared.statuses import Channel

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Workflow(BaseModel):
    """What an event type means: its category, the channels in their order, and the policy.

    Without channels, every channel of this installation is tried in the order of the enumeration.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")] = "general"
    channels: tuple[Channel, ...] = ()
    template: str = "plain"
    retry_seconds: Annotated[tuple[Seconds, ...], Field(max_length=10)] = (2, 4, 8)
    on_ambiguous: OnAmbiguous = OnAmbiguous.RESEND
    unless_delivered_within_seconds: dict[Channel, Seconds] = Field(default_factory=dict)

    def plan(self) -> Plan:
        """Pin this workflow for one notification."""
        return Plan(
            category=self.category,
            template=self.template,
            retry_seconds=self.retry_seconds,
            on_ambiguous=self.on_ambiguous,
            unless_delivered_within_seconds=self.unless_delivered_within_seconds,
        )

    def wanted(self, preferred: Channel | None) -> tuple[Channel, ...]:
        """List the channels in order; the one that the event prefers is always among them."""
        channels = self.channels or tuple(Channel)
        return channels if preferred is None or preferred in channels else (preferred, *channels)


DEFAULT = Workflow()
DEFAULT_PLAN = DEFAULT.plan()
