"""What became of a locked saga, and how it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.saga import Decision, Delivery, Entry, Saga
from shared.statuses import Channel, NotificationStatus
from shared.store import plans
from shared.store.columns import (
    JSON_NULL,
    Column,
    Documents,
    Integers,
    Smallints,
    Texts,
    Times,
    Uuids,
    transposed,
)


@dataclass(slots=True)
class Change:
    """What became of one locked saga, and the rendered content of the deliveries that are new in it.

    `has_copy` says that one of the events that were folded changed nothing: what it owes may never have been published.
    """

    before: Saga
    after: Saga
    entries: list[Entry] = field(default_factory=list)
    contents: dict[Channel, dict[str, Any]] = field(default_factory=dict)
    has_copy: bool = False

    def take(self, decision: Decision) -> bool:
        """Note a decision; return whether it changed anything."""
        self.after = decision.saga
        self.entries.extend(decision.entries)
        return decision.changed

    def touched(self) -> list[Delivery]:
        """List the deliveries that differ from what is stored."""
        stored = self.before.deliveries
        return [delivery for delivery in self.after.deliveries if delivery not in stored]

    def queued(self) -> list[Channel]:
        """List the channels that need a content: a delivery, or an epoch of it, that did not exist before."""
        stored = [(delivery.channel, delivery.epoch) for delivery in self.before.deliveries]
        return [d.channel for d in self.after.deliveries if (d.channel, d.epoch) not in stored]


_OF_DELIVERY = (
    *(Uuids, Texts, Texts, Texts, Smallints, Integers, Integers, Integers, Integers, Integers),
    *(Times, Times, Texts, Times, Documents, Texts),
)


def delivery_columns(deliveries: Sequence[tuple[Change, Delivery]]) -> list[Column]:
    """Turn deliveries into the columns of one statement."""
    rows = [
        (
            change.after.id,
            d.channel._value_,
            change.after.tenant,
            d.status._value_,
            d.position,
            d.epoch,
            d.attempt,
            d.tries,
            d.deferrals,
            d.takeovers,
            d.due_at,
            d.lease_until,
            d.outcome.value if d.outcome else None,
            d.deadline,
            change.contents.get(d.channel, JSON_NULL),
            d.reason,
        )
        for change, d in deliveries
    ]
    return transposed(_OF_DELIVERY, rows)


def plan_of(change: Change) -> dict[str, Any] | None:
    """Write the plan where it is new."""
    return plans.to_json(change.after.plan) if change.after.plan is not change.before.plan else None


def line_of(entry: Entry) -> dict[str, Any]:
    """Write a line of the timeline."""
    line: dict[str, Any] = {"what": entry.what.value, "why": entry.why}
    if entry.channel:
        line["channel"] = entry.channel.value
    if entry.detail:
        line["detail"] = dict(entry.detail)
    return line


def is_resolved(change: Change) -> bool:
    """Tell whether a late success settles its dead letter."""
    buried = (NotificationStatus.FAILED, NotificationStatus.UNKNOWN)
    return change.before.status in buried and change.after.status is NotificationStatus.SENT
