"""How a message is taken back on each channel, and what is said where it cannot be: pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from shared.ids import notification_id
from shared.outcomes import Outcome
from shared.saga import Compensated, Saga
from shared.statuses import REACHED, Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.undoing import CORRECTION_SOURCE, Correction
from shared.store.undoing import Undoing as Asked


class Means(StrEnum):
    """By what a message is taken back."""

    NOTHING = "nothing"  # the channel has no way
    INBOX = "inbox"  # our own: in the transaction that ends the saga
    PROVIDER = "provider"  # a call, which may fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """How a message is taken back on a channel, or why it is not."""

    cannot: str
    means: Means = Means.NOTHING
    takes_corrections: bool = True


UNDOING: dict[Channel, Undoing] = {
    Channel.EMAIL: Undoing(cannot="an e-mail cannot be called back"),
    Channel.WHATSAPP: Undoing(cannot="a WhatsApp message cannot be called back"),
    Channel.SMS: Undoing(cannot="a text message cannot be called back"),
    # Neither FCM nor OneSignal recalls what has left. A correction under the same collapse key takes its place.
    Channel.PUSH: Undoing(cannot="a push that a device may have shown cannot be called back"),
    Channel.TELEGRAM: Undoing(means=Means.PROVIDER, cannot="this installation has no bot that could delete it"),
    Channel.WEBSOCKET: Undoing(means=Means.INBOX, takes_corrections=False, cannot="it was not in the inbox any more"),
}
NOBODY_KNOWS = "nobody knows whether it was sent, so nothing was called back"
PERHAPS_ANOTHER = "it was deleted, but an earlier attempt may have left another that nobody can name"
NOTHING_TO_NAME = "the provider never named the message, so it cannot be asked to take it back"
MOST_TRIES = 6
PASSING = frozenset({OutcomeKind.TRANSIENT, OutcomeKind.THROTTLED, OutcomeKind.AMBIGUOUS})
PAUSES_SECONDS = (4, 15, 60, 300, 300)

Outcomes = Mapping[Channel, Outcome]
"""What the providers of one notification said when they were asked to take it back."""


def to_ask(saga: Saga, askable: Set[Channel]) -> list[Channel]:
    """List the channels whose providers must be asked."""
    reached = [delivery.channel for delivery in saga.deliveries if delivery.status in REACHED]
    return [channel for channel in reached if UNDOING[channel].means is Means.PROVIDER and channel in askable]


def known(asked: Asked) -> Outcome | None:
    """Say what comes of asking without a call; None when it takes one."""
    if asked.outcome is not None and asked.outcome not in PASSING:
        return _outcome(asked.outcome, asked.reason)
    if not asked.message_ids:
        return _outcome(OutcomeKind.PERMANENT, NOTHING_TO_NAME)
    if asked.tries > MOST_TRIES:
        return _outcome(OutcomeKind.PERMANENT, f"tried {MOST_TRIES} times: {asked.reason or 'nobody came back'}")
    return None


def judged(asked: Asked, outcome: Outcome) -> Outcome:
    """Judge what a provider said: deleted beside another one that nobody can name is not undone, and tries end."""
    if asked.is_in_doubt and outcome.kind is OutcomeKind.ACCEPTED:
        return _outcome(OutcomeKind.PERMANENT, PERHAPS_ANOTHER)
    if outcome.kind in PASSING and asked.tries >= MOST_TRIES:
        return replace(outcome, kind=OutcomeKind.PERMANENT, reason=f"tried {asked.tries} times: {outcome.reason}")
    return outcome


def pause_seconds(asked: Asked, outcome: Outcome) -> float | None:
    """Say how long to wait before the provider is asked again; None when it need not be."""
    if outcome.kind not in PASSING:
        return None
    return max(PAUSES_SECONDS[min(asked.tries, len(PAUSES_SECONDS)) - 1], outcome.retry_after_seconds or 0)


def what_was_undone(saga: Saga, retracted: Set[UUID], outcomes: Outcomes | None = None) -> Compensated:
    """Say channel by channel what was taken back, and why the rest was not; `retracted` are those of the inboxes."""
    reached = [delivery.channel for delivery in saga.deliveries if delivery.status in REACHED]
    said = outcomes or {}
    taken_back = {
        channel
        for channel in reached
        if (UNDOING[channel].means is Means.INBOX and saga.id in retracted)
        or (channel in said and said[channel].kind is OutcomeKind.ACCEPTED)
    }
    doubtful = [delivery.channel for delivery in saga.current() if delivery.status is DeliveryStatus.UNKNOWN]
    left = {channel: _why(saga, channel, said) for channel in reached if channel not in taken_back}
    return Compensated(retracted=frozenset(taken_back), not_undone={**left, **dict.fromkeys(doubtful, NOBODY_KNOWS)})


def _why(saga: Saga, channel: Channel, outcomes: Outcomes) -> str:
    why = outcomes[channel].reason if channel in outcomes else UNDOING[channel].cannot
    follows = saga.plan.correction is not None and UNDOING[channel].takes_corrections
    return f"{why}; a correction follows: {correction_id(saga, channel)}" if follows else why


def corrections(saga: Saga) -> list[Correction]:
    """List the corrections that follow a saga that has been compensated: where it was sent, and still is there."""
    template = saga.plan.correction
    if template is None or saga.status not in (NotificationStatus.FAILED, NotificationStatus.CANCELLED):
        return []
    return [
        Correction(
            id=correction_id(saga, delivery.channel),
            corrects=saga.id,
            channel=delivery.channel,
            workflow={"category": saga.plan.category, "channels": [delivery.channel.value], "template": template},
        )
        for delivery in saga.deliveries
        if delivery.status in REACHED and UNDOING[delivery.channel].takes_corrections
    ]


def correction_id(saga: Saga, channel: Channel) -> UUID:
    """Name the correction of one channel: the same whenever it is asked for."""
    return notification_id(saga.tenant, CORRECTION_SOURCE, f"{saga.epoch}:{channel.value}", str(saga.id))


def _outcome(kind: OutcomeKind, reason: str) -> Outcome:
    return Outcome(kind=kind, code="undoing", reason=reason, provider="carillon")
