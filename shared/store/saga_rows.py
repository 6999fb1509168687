"""Rows of the database as records of the saga."""

from __future__ import annotations

from psycopg.rows import TupleRow

from shared.saga import AttemptRecorded, Delivery, Receipt, ReceiptRecorded, Saga
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store import plans

NOTIFICATION_COLUMNS = """
    n.id, n.tenant, n.status, n.reason, n.epoch, n.version, n.created_at, n.expires_at, n.send_at, n.next_look_at,
    n.looks, n.traceparent, n.plan::text, n.correlation_id, n.cancelled_by, n.digest_id, n.is_digest,
    n.has_bounced, clock_timestamp()
"""
PLAN, HAS_BOUNCED, NOW, NOTIFICATION_WIDTH = 12, 17, 18, 19
DELIVERY_COLUMNS = """
    d.notification_id, d.channel, d.status, d.position, d.epoch, d.attempt, d.tries, d.deferrals, d.takeovers, d.due_at,
    d.lease_until, d.token, d.outcome, d.deadline, d.reason
"""
DELIVERY_WIDTH = 15
ATTEMPT_COLUMNS = """
    a.notification_id, a.token, a.channel, a.epoch, a.attempt, a.outcome, a.code, a.reason, a.retry_after_seconds,
    a.withheld, a.choice, a.next_look_at IS NOT NULL
"""
ATTEMPT_WIDTH = 12

_CHANNEL = {channel.value: channel for channel in Channel}
_NOTIFICATION = {status.value: status for status in NotificationStatus}
_DELIVERY = {status.value: status for status in DeliveryStatus}
_OUTCOME = {kind.value: kind for kind in OutcomeKind}


def saga_of(row: TupleRow, deliveries: tuple[Delivery, ...]) -> Saga:
    """Read a notification's row, in the order of its columns."""
    return Saga(
        id=row[0],
        tenant=row[1],
        status=_NOTIFICATION[row[2]],
        reason=row[3],
        epoch=row[4],
        version=row[5],
        created_at=row[6],
        expires_at=row[7],
        send_at=row[8],
        next_look_at=row[9],
        looks=row[10],
        traceparent=row[11],
        plan=plans.from_text(row[12]),
        correlation_id=row[13],
        cancelled_by=row[14],
        digest_id=row[15],
        is_digest=row[16],
        deliveries=deliveries,
    )


def delivery_of(row: TupleRow) -> Delivery:
    """Read a delivery's row."""
    return Delivery(
        channel=_CHANNEL[row[1]],
        status=_DELIVERY[row[2]],
        position=row[3],
        epoch=row[4],
        attempt=row[5],
        tries=row[6],
        deferrals=row[7],
        takeovers=row[8],
        due_at=row[9],
        lease_until=row[10],
        token=row[11],
        outcome=_OUTCOME[row[12]] if row[12] else None,
        deadline=row[13],
        reason=row[14],
    )


def attempt_of(row: TupleRow) -> AttemptRecorded:
    """Read an attempt's row."""
    return AttemptRecorded(
        channel=_CHANNEL[row[2]],
        epoch=row[3],
        attempt=row[4],
        token=row[1],
        outcome=_OUTCOME[row[5]],
        code=row[6],
        reason=row[7],
        retry_after_seconds=row[8],
        withheld=row[9],
        choice=row[10],
    )


def receipt_of(row: TupleRow) -> ReceiptRecorded:
    """Read a receipt's row."""
    return ReceiptRecorded(channel=Channel(row[1]), epoch=row[2], receipt=Receipt(row[3]), reason=row[4])
