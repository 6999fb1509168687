"""Tell a saga's story without a database: between two decisions, the deliver step's claims are made here as in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from shared.saga import (
    AttemptRecorded,
    Decision,
    Delivery,
    Looked,
    Occurrence,
    OnAmbiguous,
    Plan,
    Receipt,
    ReceiptRecorded,
    Routed,
    Saga,
    What,
    Why,
    decide,
)
from shared.saga.state import MAX_TAKEOVERS
from shared.statuses import TERMINAL, Channel, DeliveryStatus, NotificationStatus, OutcomeKind

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
EMAIL, SMS, WEBSOCKET = Channel.EMAIL, Channel.SMS, Channel.WEBSOCKET
LEASE = timedelta(seconds=60)
ID = UUID("5b0c2a9e-51f4-5d2f-8a35-2f6f4f1c9d01")


def pending(**changes: Any) -> Saga:
    """Make a saga as the intake keeps it."""
    expires_at = NOON + timedelta(hours=24)
    saga = Saga(id=ID, tenant="acme", status=NotificationStatus.PENDING, created_at=NOON, expires_at=expires_at)
    return replace(saga, **changes)


def routed(
    *wanted: Channel,
    obstacles: Mapping[Channel, Why] | None = None,
    preferred: Channel | None = None,
    expires_after_seconds: float | None = None,
    has_own_expiry: bool = False,
    left_alone: Mapping[Channel, datetime] | None = None,
    **plan: Any,
) -> Routed:
    """Make the facts of routing."""
    return Routed(
        plan=Plan(**plan),
        wanted=wanted,
        obstacles=obstacles or {},
        preferred=preferred,
        expires_after_seconds=expires_after_seconds,
        has_own_expiry=has_own_expiry,
        left_alone=left_alone or {},
    )


class Story:
    """One saga, its clock, and what was decided last."""

    def __init__(self, *steps: Channel, saga: Saga | None = None, **plan: Any) -> None:
        self.saga, self.now = saga or pending(), NOON
        self.told: list[What] = []
        if steps:
            self.happens(routed(*steps, **plan))

    @property
    def status(self) -> NotificationStatus:
        """Where the notification stands."""
        return self.saga.status

    def delivery(self, channel: Channel = EMAIL) -> Delivery:
        """Find a delivery that is known to be there."""
        found = self.saga.delivery(channel)
        assert found is not None, f"nothing was asked of {channel}"
        return found

    def standing(self, channel: Channel = EMAIL) -> DeliveryStatus:
        """Where a channel stands."""
        return self.delivery(channel).status

    def happens(self, occurrence: Occurrence) -> Decision:
        """Fold an occurrence."""
        decision = decide(self.saga, occurrence, self.now)
        self.saga = decision.saga
        self.told = [entry.what for entry in decision.entries]
        return decision

    def look(self, *, after_seconds: float = 0) -> Decision:
        """Let time pass, and look."""
        self.now += timedelta(seconds=after_seconds)
        return self.happens(Looked())

    def claim(self, channel: Channel = EMAIL) -> UUID:
        """Take the attempt that is asked for, when it is due."""
        delivery = self.delivery(channel)
        self.now = max(self.now, delivery.due_at or self.now)
        return self._lease(delivery, takeovers=delivery.takeovers)

    def take_over(self, channel: Channel = EMAIL) -> AttemptRecorded:
        """Take over an expired lease: with a new try, or as lost. Return the attempt that was abandoned."""
        delivery = self.delivery(channel)
        assert delivery.lease_until is not None
        assert delivery.token is not None
        self.now = max(self.now, delivery.lease_until)
        plan = self.saga.plan
        is_lost = delivery.takeovers + 1 >= MAX_TAKEOVERS or delivery.tries >= plan.max_tries
        is_lost |= self.saga.cancelled_by is not None
        if is_lost or plan.on_ambiguous is OnAmbiguous.HOLD or self.saga.expires_at <= self.now:
            lost = replace(delivery, takeovers=delivery.takeovers + 1, outcome=OutcomeKind.AMBIGUOUS, lease_until=None)
            self.saga = self.saga.with_delivery(lost)
        else:
            self._lease(delivery, takeovers=delivery.takeovers + 1)
        return self.attempt(delivery, delivery.token, OutcomeKind.AMBIGUOUS, code="lease expired")

    def _lease(self, delivery: Delivery, takeovers: int) -> UUID:
        token = uuid4()
        claimed = delivery.to(DeliveryStatus.SENDING, delivery.reason, token=token, outcome=None)
        claimed = replace(claimed, tries=delivery.tries + 1, takeovers=takeovers, lease_until=self.now + LEASE)
        self.saga = self.saga.with_delivery(claimed)
        return token

    @staticmethod
    def attempt(delivery: Delivery, token: UUID, outcome: OutcomeKind, **said: Any) -> AttemptRecorded:
        """Make the row of an attempt."""
        row = AttemptRecorded(
            channel=delivery.channel,
            epoch=delivery.epoch,
            attempt=delivery.attempt,
            token=token,
            outcome=outcome,
            code=outcome.value,
        )
        return replace(row, **said)

    def record(self, token: UUID, outcome: OutcomeKind, channel: Channel = EMAIL, **said: Any) -> AttemptRecorded:
        """Record an outcome without folding it."""
        delivery = self.delivery(channel)
        if delivery.token == token and delivery.status is DeliveryStatus.SENDING and delivery.outcome is None:
            self.saga = self.saga.with_delivery(replace(delivery, outcome=outcome, lease_until=None))
        return self.attempt(delivery, token, outcome, **said)

    def ends(self, outcome: OutcomeKind, channel: Channel = EMAIL, **said: Any) -> AttemptRecorded:
        """Make the next attempt, let it end so, and fold it."""
        attempt = self.record(self.claim(channel), outcome, channel, **said)
        self.happens(attempt)
        return attempt

    def is_sent(self, channel: Channel = EMAIL) -> None:
        """Let the next attempt succeed."""
        self.ends(OutcomeKind.ACCEPTED, channel)

    def gives_up(self, channel: Channel = EMAIL) -> None:
        """Let the next attempt fail for good."""
        self.ends(OutcomeKind.PERMANENT, channel)

    def hears(self, receipt: Receipt, channel: Channel = EMAIL, epoch: int | None = None, reason: str = "") -> Decision:
        """Let the far side speak."""
        epoch = self.delivery(channel).epoch if epoch is None else epoch
        return self.happens(ReceiptRecorded(channel=channel, epoch=epoch, receipt=receipt, reason=reason))

    def waits_seconds(self, channel: Channel = EMAIL) -> float:
        """Say how long the next attempt waits."""
        due_at = self.delivery(channel).due_at
        assert due_at is not None
        return (due_at - self.now).total_seconds()


def is_final(saga: Saga) -> bool:
    """Tell whether nothing more is owed to a saga: what was sent may have to be acknowledged in time."""
    is_waiting = saga.status is NotificationStatus.SENT and any(delivery.deadline for delivery in saga.current())
    return saga.status in TERMINAL and not is_waiting
