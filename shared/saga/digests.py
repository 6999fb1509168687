"""What the members of a digest, and the notification that carries it, do about its window and its end."""

from __future__ import annotations

from datetime import datetime

from shared.saga.moves import expire
from shared.saga.occurrences import Closed, Collected, Followed, Gathered, LeftEmpty, Looked, Why
from shared.saga.state import Decision, Entry, Saga, What
from shared.statuses import MEMBER_TRANSITIONS, NotificationStatus

N = NotificationStatus

TOO_LATE = "it expired before the window of its digest closed"
EMPTY = "nothing was left in the digest when its window closed"
_ENDS = {
    N.SENT: What.SENT,
    N.DELIVERED: What.DELIVERED,
    N.FAILED: What.FAILED,
    N.CANCELLED: What.CANCELLED,
    N.SKIPPED: What.SKIPPED,
    N.EXPIRED: What.EXPIRED,
    N.UNKNOWN: What.UNKNOWN,
}


def is_bound(saga: Saga) -> bool:
    """Tell whether a member belongs to its message: from then on only its digest moves it."""
    return saga.digest_id is not None and saga.status is not N.SCHEDULED


def without_digest(saga: Saga) -> Saga:
    """Take it out of a digest whose window is open."""
    return saga if saga.digest_id is None else saga.but(digest_id=None)


def can_become(status: NotificationStatus) -> list[NotificationStatus]:
    """List where a member may stand that its digest takes to a status."""
    return [before for before, following in MEMBER_TRANSITIONS.items() if status in following]


def on_collected(saga: Saga, event: Collected, now: datetime) -> Decision:
    """Join a digest, and wait for its window to close."""
    if saga.status is not N.PENDING:
        return Decision(saga=saga)
    if event.has_own_expiry and saga.expires_at <= now:
        return expire(saga)
    why = "it is collected into a digest"
    expires_at = saga.expires_at if event.has_own_expiry else event.kept_until
    saga = saga.but(digest_id=event.digest_id, expires_at=expires_at).to(N.SCHEDULED, why)
    entry = Entry(what=What.COLLECTED, why=why, detail={"digest_id": str(event.digest_id)})
    return Decision(saga=saga, entries=(entry,))


def on_look_at_member(saga: Saga, event: Looked, now: datetime) -> Decision:
    """Leave a digest that is still open, if it is too late."""
    return _drop_out(saga, N.EXPIRED, TOO_LATE) if saga.expires_at <= now else Decision(saga=saga)


def on_gathered(saga: Saga, event: Gathered, now: datetime) -> Decision:
    """Belong to the message from now on, or drop out."""
    if saga.status is not N.SCHEDULED or saga.digest_id is None:
        return Decision(saga=saga)
    if event.is_superseded:
        return _drop_out(saga, N.SKIPPED, Why.SUPERSEDED.value)
    if saga.expires_at <= now:
        return _drop_out(saga, N.EXPIRED, TOO_LATE)
    why = "the window of its digest has closed, and it is in it"
    return Decision(saga=saga.to(N.QUEUED, why), entries=(Entry(what=What.GATHERED, why=why),))


def _drop_out(saga: Saga, status: NotificationStatus, why: str) -> Decision:
    left = saga.to(status, why).but(digest_id=None)
    return Decision(saga=left, entries=(Entry(what=_ENDS[status], why=why),))


def on_closed(saga: Saga, event: Closed, now: datetime) -> Decision:
    """Let the digest go, unless it is too late for all of it."""
    if saga.status is not N.SCHEDULED or not saga.is_digest:
        return Decision(saga=saga)
    if saga.expires_at <= now:
        return expire(saga)
    why = f"its window has closed, with {event.count} in it"
    return Decision(
        saga=saga.to(N.PENDING, why), entries=(Entry(what=What.GATHERED, why=why, detail={"count": event.count}),)
    )


def on_left_empty(saga: Saga, event: LeftEmpty, now: datetime) -> Decision:
    """Send nothing where nothing is left."""
    if saga.status is not N.PENDING or not saga.is_digest:
        return Decision(saga=saga)
    return Decision(saga=saga.to(N.SKIPPED, EMPTY), entries=(Entry(what=What.SKIPPED, why=EMPTY),))


def on_followed(saga: Saga, event: Followed, now: datetime) -> Decision:
    """End as the digest has ended."""
    if saga.digest_id is None or event.status not in _ENDS or event.status not in MEMBER_TRANSITIONS[saga.status]:
        return Decision(saga=saga)
    why = f"with its digest: {event.reason or event.status.value}"
    return Decision(saga=saga.to(event.status, why), entries=(Entry(what=_ENDS[event.status], why=why),))
