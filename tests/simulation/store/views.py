"""What anybody may see of a notification, in memory."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.store.changes import line_of
from shared.store.views import Views, plan_of
from tests.simulation.store.engine import Memory
from tests.simulation.store.rows import AttemptRow, DeliveryRow, NotificationRow


class MemoryViews(Views):
    """The room of everybody who asks what happened."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def notification(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Read one notification with deliveries, attempts and timeline; None when the tenant has none of that id."""
        row = self._memory.notifications.rows.get(key)
        if row is None or row.saga.tenant != tenant:
            return None
        deliveries = [row for row in self._memory.deliveries.rows.values() if row.notification_id == key]
        attempts = [row for row in self._memory.attempts.rows.values() if row.notification_id == key]
        attempts.sort(key=lambda row: (row.started_at or row.ended_at, row.ended_at))
        document = _notification(row)
        document["deliveries"] = [
            _delivery(row) for row in sorted(deliveries, key=lambda row: (row.delivery.position, row.delivery.channel))
        ]
        document["attempts"] = [_attempt(row) for row in attempts]
        document["timeline"] = self._timeline(document)
        return document

    def _timeline(self, document: dict[str, Any]) -> list[dict[str, Any]]:
        why = f"{document['event_type']} was posted"
        lines = [{"at": document["created_at"], "what": "accepted", "why": why}]
        for row in self._memory.timeline.rows.values():
            if str(row.notification_id) == document["id"]:
                lines += [{"at": _time(row.at), **line_of(entry)} for entry in row.entries]
        for attempt in document["attempts"]:
            detail = {key: attempt[key] for key in ("attempt", "epoch", "outcome", "code", "provider")}
            line = {"at": attempt["ended_at"], "what": "attempt", "channel": attempt["channel"], "detail": detail}
            lines.append({**line, "why": attempt["reason"] or attempt["code"]})
        return sorted(lines, key=lambda line: str(line["at"]))

    async def status(self, tenant: str, key: UUID) -> str | None:
        """Read the status alone."""
        row = self._memory.notifications.rows.get(key)
        return row.saga.status.value if row is not None and row.saga.tenant == tenant else None

    async def counts(self, tenant: str) -> dict[str, int]:
        """Count the notifications of a tenant by status."""
        sagas = [row.saga for row in self._memory.notifications.rows.values() if row.saga.tenant == tenant]
        return dict(Counter(saga.status.value for saga in sagas))


def _time(value: datetime | None) -> str | None:
    return value.isoformat(timespec="milliseconds") if value else None


def _notification(row: NotificationRow) -> dict[str, Any]:
    saga = row.saga
    return {
        "id": str(saga.id),
        "user_id": row.user_id,
        "event_type": row.event_type,
        "source": row.source,
        "status": saga.status.value,
        "reason": saga.reason,
        "correlation_id": saga.correlation_id,
        "epoch": saga.epoch,
        "created_at": _time(saga.created_at),
        "updated_at": _time(row.updated_at),
        "expires_at": _time(saga.expires_at),
        "send_at": _time(saga.send_at),
        "preferred_channel": row.preferred.value if row.preferred else None,
        "collapse_key": row.collapse_key,
        "has_own_expiry": row.has_own_expiry,
        "cancelled_by": saga.cancelled_by,
        "plan": plan_of(saga.plan) if row.is_routed else None,
        "wishes": dict(row.wishes or {}),
        "priority": (row.wishes or {}).get("priority", "normal"),
        "digest_id": str(saga.digest_id) if saga.digest_id else None,
        "digest_count": row.data.get("count") if saga.is_digest else None,
        "passed": dict(saga.plan.passed),
    }


def _delivery(row: DeliveryRow) -> dict[str, Any]:
    delivery = row.delivery
    return {
        "channel": delivery.channel.value,
        "status": delivery.status.value,
        "reason": delivery.reason,
        "epoch": delivery.epoch,
        "attempt": delivery.attempt,
        "tries": delivery.tries,
        "due_at": _time(delivery.due_at),
        "deadline": _time(delivery.deadline),
        "updated_at": _time(row.updated_at),
    }


def _attempt(row: AttemptRow) -> dict[str, Any]:
    said = row.said
    return {
        "channel": said.channel.value,
        "epoch": said.epoch,
        "attempt": said.attempt,
        "outcome": said.outcome.value,
        "ambiguous": row.ambiguous,
        "code": said.code,
        "reason": said.reason,
        "provider": row.provider,
        "choice": said.choice,
        "provider_message_id": row.provider_message_id,
        "started_at": _time(row.started_at),
        "ended_at": _time(row.ended_at),
    }
