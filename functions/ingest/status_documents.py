"""What is told of notifications: in lists, one by one, explained, and when they are called back."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.saga import OnAmbiguous, RuleOf, Strategy
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.wishes import Priority


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class ListedDelivery(_Document):
    """One channel of a listed notification."""

    channel: Channel
    status: DeliveryStatus


class ListedNotification(_Document):
    """One line of a list; the notification's own address tells the rest."""

    id: str
    user_id: str
    event_type: str
    status: NotificationStatus
    reason: str
    correlation_id: str | None
    epoch: int
    created_at: str
    updated_at: str
    deliveries: list[ListedDelivery]


class NotificationPage(_Document):
    """A page, the newest first. It is the last one when there is no `next_cursor`, not when it is short."""

    notifications: list[ListedNotification]
    next_cursor: str | None


class PlanDocument(_Document):
    """The workflow as it was when the notification was routed. `passed` says why a channel was passed over."""

    workflow: RuleOf
    category: str
    template: str
    template_version: int | None
    strategy: Strategy
    steps: list[Channel]
    passed: dict[Channel, str]
    retry_seconds: list[float]
    on_ambiguous: OnAmbiguous
    unless_delivered_within_seconds: dict[Channel, float]


class DeliveryDocument(_Document):
    """One channel: `attempt` numbers its calls, `tries` counts those that are used up."""

    channel: Channel
    status: DeliveryStatus
    reason: str
    epoch: int
    attempt: int
    tries: int
    due_at: str | None
    deadline: str | None
    updated_at: str


class AttemptDocument(_Document):
    """One call to a provider. `choice` says why it went to another provider than the first."""

    channel: Channel
    epoch: int
    attempt: int
    outcome: OutcomeKind
    ambiguous: bool
    code: str
    reason: str
    provider: str
    choice: str
    provider_message_id: str | None
    started_at: str | None
    ended_at: str


class TimelineLine(_Document):
    """What was decided, and why."""

    at: str
    what: str
    why: str
    channel: Channel | None = None
    detail: dict[str, Any] = Field(default_factory=dict)


class NotificationDocument(_Document):
    """A notification with everything that happened to it. `epoch` counts how often it was started over.

    One of many in a digest names it; the digest itself says how many there are. `wishes` are what the request asked for
    itself, beside its workflow.
    """

    id: str
    user_id: str
    event_type: str
    source: str
    status: NotificationStatus
    reason: str
    correlation_id: str | None
    epoch: int
    created_at: str
    updated_at: str
    send_at: str | None
    expires_at: str
    has_own_expiry: bool
    preferred_channel: Channel | None
    collapse_key: str | None
    cancelled_by: str | None
    digest_id: str | None
    digest_count: int | None
    wishes: dict[str, str]
    priority: Priority
    plan: PlanDocument | None
    passed: dict[Channel, str]
    deliveries: list[DeliveryDocument]
    attempts: list[AttemptDocument]
    timeline: list[TimelineLine]


class MessageDocument(_Document):
    """The words of one channel, as they were rendered. `html` is for e-mail, where there is some."""

    channel: Channel
    epoch: int
    subject: str
    text: str
    html: str | None


class MessagesDocument(_Document):
    """What it says, in the order of its channels. None is left once its person is forgotten."""

    id: str
    messages: list[MessageDocument]


class CancellationDocument(_Document):
    """Where it stands now. `under_way` are channels with a call that nobody can stop: its end is waited for."""

    id: str
    status: NotificationStatus
    cancelled_by: str | None
    under_way: list[Channel] = Field(default_factory=list)


class ExplainedRule(_Document):
    """One rule and what came of it. `about` says of what: a channel, or an attempt; of the whole where it is empty."""

    rule: str
    about: str = ""
    inputs: dict[str, Any] = Field(default_factory=dict)
    verdict: str
    why: str


class Explanation(_Document):
    """Why a notification took its way: every rule, in the order in which they are asked."""

    id: str
    status: NotificationStatus
    rules: list[ExplainedRule]
