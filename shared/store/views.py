"""What anybody may see of a notification afterwards: its deliveries, attempts and timeline."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.saga import Plan
from shared.store import plans
from shared.store.database import Database

_NOTIFICATION = """
SELECT id, user_id, event_type, source, status, reason, correlation_id, epoch, plan, created_at, updated_at, expires_at,
       send_at, preferred, collapse_key, has_own_expiry, cancelled_by, wishes,
       digest_id, CASE WHEN is_digest THEN (data->>'count')::int END
FROM notifications WHERE tenant = %s AND id = %s
"""
_DELIVERIES = """
SELECT channel, status, reason, epoch, attempt, tries, due_at, deadline, updated_at FROM deliveries
WHERE tenant = %s AND notification_id = %s ORDER BY position, channel
"""
_ATTEMPTS = """
SELECT channel, epoch, attempt, outcome, ambiguous, code, reason, provider, choice, provider_message_id, started_at,
       ended_at
FROM attempts WHERE tenant = %s AND notification_id = %s ORDER BY started_at, ended_at
"""
_MESSAGES = """
SELECT channel, epoch, content->>'subject', content->>'text', content #>> '{options,html}' FROM deliveries
WHERE tenant = %s AND notification_id = %s AND content ? 'text' ORDER BY position, channel
"""
_TIMELINE = "SELECT at, entries FROM timeline WHERE notification_id = %s ORDER BY id"
_COUNTS = "SELECT status, count(*) FROM notifications WHERE tenant = %s GROUP BY status"


class Views:
    """The room of everybody who asks what happened."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def notification(self, tenant: str, key: UUID) -> dict[str, Any] | None:
        """Read one notification with deliveries, attempts and timeline; None when the tenant has none of that id."""
        rows = await self._database.fetch(_NOTIFICATION, (tenant, key))
        if not rows:
            return None
        document = _as_document(_NOTIFICATION_FIELDS, rows[0])
        document["plan"] = plan_of(plans.from_json(document["plan"])) if document["plan"] else None
        document["passed"] = document["plan"]["passed"] if document["plan"] else {}
        document["wishes"] = document["wishes"] or {}
        document["priority"] = document["wishes"].get("priority", "normal")
        deliveries = await self._database.fetch(_DELIVERIES, (tenant, key))
        attempts = await self._database.fetch(_ATTEMPTS, (tenant, key))
        timeline = await self._database.fetch(_TIMELINE, (key,))
        document["deliveries"] = [_as_document(_DELIVERY_FIELDS, row) for row in deliveries]
        document["attempts"] = [_as_document(_ATTEMPT_FIELDS, row) for row in attempts]
        document["timeline"] = _timeline(document, timeline)
        return document

    async def messages(self, tenant: str, key: UUID) -> list[dict[str, Any]] | None:
        """Read the words of each channel as they were rendered; None when the tenant has none of that id.

        What could not be rendered has none, nor has what was erased.
        """
        if await self.status(tenant, key) is None:
            return None
        rows = await self._database.fetch(_MESSAGES, (tenant, key))
        return [_as_document(_MESSAGE_FIELDS, row) for row in rows]

    async def status(self, tenant: str, key: UUID) -> str | None:
        """Read the status alone."""
        rows = await self._database.fetch(
            "SELECT status FROM notifications WHERE tenant = %s AND id = %s", (tenant, key)
        )
        return str(rows[0][0]) if rows else None

    async def counts(self, tenant: str) -> dict[str, int]:
        """Count the notifications of a tenant by status."""
        return {row[0]: row[1] for row in await self._database.fetch(_COUNTS, (tenant,))}


_NOTIFICATION_FIELDS = (
    "id",
    "user_id",
    "event_type",
    "source",
    "status",
    "reason",
    "correlation_id",
    "epoch",
    "plan",
    "created_at",
    "updated_at",
    "expires_at",
    "send_at",
    "preferred_channel",
    "collapse_key",
    "has_own_expiry",
    "cancelled_by",
    "wishes",
    "digest_id",
    "digest_count",
)
_MESSAGE_FIELDS = ("channel", "epoch", "subject", "text", "html")
_DELIVERY_FIELDS = ("channel", "status", "reason", "epoch", "attempt", "tries", "due_at", "deadline", "updated_at")
_ATTEMPT_FIELDS = (
    "channel",
    "epoch",
    "attempt",
    "outcome",
    "ambiguous",
    "code",
    "reason",
    "provider",
    "choice",
    "provider_message_id",
    "started_at",
    "ended_at",
)


def plan_of(plan: Plan) -> dict[str, Any]:
    """Write a plan for people; a workflow's options are left out, for they may hold content."""
    return {
        "workflow": plan.workflow.value,
        "category": plan.category,
        "template": plan.template,
        "template_version": plan.template_version,
        "strategy": plan.strategy.value,
        "steps": [channel.value for channel in plan.steps],
        "passed": dict(plan.passed),
        "retry_seconds": list(plan.retry_seconds),
        "on_ambiguous": plan.on_ambiguous.value,
        "unless_delivered_within_seconds": {
            channel.value: seconds for channel, seconds in plan.unless_delivered_within_seconds.items()
        },
    }


def _as_document(fields: tuple[str, ...], row: tuple[Any, ...]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in zip(fields, row, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return str(value) if isinstance(value, UUID) else value


def _timeline(document: dict[str, Any], rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    accepted = {"at": document["created_at"], "what": "accepted", "why": f"{document['event_type']} was posted"}
    lines = [accepted]
    for at, entries in rows:
        lines += [{"at": _plain(at), "what": entry["what"], "why": entry["why"], **entry} for entry in entries]
    for attempt in document["attempts"]:
        lines.append(
            {
                "at": attempt["ended_at"],
                "what": "attempt",
                "why": attempt["reason"] or attempt["code"],
                "channel": attempt["channel"],
                "detail": {key: attempt[key] for key in ("attempt", "epoch", "outcome", "code", "provider")},
            }
        )
    return sorted(lines, key=lambda line: str(line["at"]))
