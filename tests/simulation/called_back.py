"""What must be true of notifications that their callers have called back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.saga import What
from shared.statuses import REACHED, DeliveryStatus, NotificationStatus
from tests.simulation.record import Record

N, D = NotificationStatus, DeliveryStatus


def what_is_called_back_is_not_sent_any_more(record: Record) -> Iterator[str]:
    """After a cancellation is committed nothing is sent but under a claim that was taken before."""
    for call in record.history.calls:
        key, cancelled_at = call.command.notification_id, record.history.cancelled.get(call.command.notification_id)
        if cancelled_at is not None and call.claimed_at > cancelled_at:
            yield f"{key} was sent on {call.channel}, claimed {call.claimed_at - cancelled_at:.3f} s afterwards"


def what_is_called_back_ends_cancelled(record: Record) -> Iterator[str]:
    """What was called back ends cancelled and in no other way, and is no dead letter."""
    for key, at in record.history.cancelled.items():
        if record.sagas[key].status is not N.CANCELLED:
            yield f"{key} is {record.sagas[key].status}"
        for moved in record.history.moves:
            if moved.notification == key and moved.at > at and moved.after in (N.FAILED, N.UNKNOWN):
                yield f"{key} became {moved.after}, and was called back"


def what_is_cancelled_was_called_back(record: Record) -> Iterator[str]:
    """Nothing is cancelled that nobody called back, and it is told by whom."""
    told = {(row.notification_id, entry.what) for row in record.timeline for entry in row.entries}
    for key, saga in record.sagas.items():
        if saga.status is not N.CANCELLED:
            continue
        if saga.cancelled_by is None or saga.cancelled_by not in saga.reason or (key, What.CANCELLED) not in told:
            yield f"{key} is cancelled: {saga.reason!r}"


def what_could_not_be_undone_is_told(record: Record) -> Iterator[str]:
    """Of what was cancelled and is still out there, or may be, it is told that it could not be undone."""
    lines = [(row.notification_id, entry) for row in record.timeline for entry in row.entries]
    told = {(key, entry.channel) for key, entry in lines if entry.what is What.NOT_UNDONE}
    for key, saga in record.sagas.items():
        out_there = [d for d in saga.current() if d.status in REACHED or d.status is D.UNKNOWN]
        for delivery in out_there if saga.status is N.CANCELLED else []:
            if (key, delivery.channel) not in told:
                yield f"{key} is cancelled and {delivery.status} on {delivery.channel}"


OF_CANCELLED: tuple[Callable[[Record], Iterator[str]], ...] = (
    what_is_called_back_is_not_sent_any_more,
    what_is_called_back_ends_cancelled,
    what_is_cancelled_was_called_back,
    what_could_not_be_undone_is_told,
)
