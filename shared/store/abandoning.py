"""Attempts that nobody came back from, recorded in the transaction that gives them up."""

from __future__ import annotations

from collections.abc import Sequence

from shared.saga import Delivery
from shared.statuses import DeliveryStatus
from shared.store.changes import Change
from shared.store.columns import Texts, Uuids, transposed
from shared.store.database import Connection

_ABANDON = """
INSERT INTO attempts (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, code, reason,
                      started_at)
SELECT d.notification_id, d.token, d.tenant, d.channel, d.epoch, d.attempt, 'ambiguous', true, 'lease expired',
       'whoever held the claim did not come back in time', d.claimed_at
FROM unnest(%b::uuid[], %b::text[]) AS g(notification_id, channel)
JOIN deliveries d ON d.notification_id = g.notification_id AND d.channel = g.channel
ON CONFLICT (notification_id, token) DO NOTHING
"""


def given_up(change: Change) -> list[Delivery]:
    """List the deliveries whose claim was waited for, and is not any more: nobody knows how their call ended."""
    claimed = [
        held
        for held in change.before.deliveries
        if held.status is DeliveryStatus.SENDING and held.outcome is None and held.token is not None
    ]
    ended = [change.after.delivery(held.channel) for held in claimed]
    return [delivery for delivery in ended if delivery is not None and delivery.status is DeliveryStatus.UNKNOWN]


async def abandon(connection: Connection, changes: Sequence[Change]) -> None:
    """Record as ambiguous what sagas give up waiting for; their deliveries are locked, and not yet written."""
    rows = [(change.before.id, delivery.channel.value) for change in changes for delivery in given_up(change)]
    if rows:
        await connection.execute(_ABANDON, transposed((Uuids, Texts), sorted(rows)))
