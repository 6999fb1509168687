"""What a saga does when its person is forgotten."""

from __future__ import annotations

from datetime import datetime

from shared.saga.digests import is_bound, without_digest
from shared.saga.moves import has_reached, reach
from shared.saga.occurrences import ERASED, Erased
from shared.saga.state import Decision, Entry, Saga, What
from shared.statuses import NotificationStatus

N = NotificationStatus

_OPEN = frozenset({N.SCHEDULED, N.PENDING, N.QUEUED, N.COMPENSATING})


def on_erased(saga: Saga, event: Erased, now: datetime) -> Decision:
    """End what is under way. What was sent stays sent, and waits for no acknowledgement any more.

    A call under way is not waited for: it has the address already. What it says is recorded as ever.
    """
    waits = [delivery for delivery in saga.current() if delivery.deadline is not None]
    if (saga.status not in _OPEN and not waits) or is_bound(saga):
        return Decision(saga=saga)  # what is in a digest's message ends with that message, which is the same person's
    saga = without_digest(saga)
    for delivery in waits:
        saga = saga.with_delivery(delivery.but(deadline=None))
    saga = saga.without_pending(ERASED)
    if saga.status is N.QUEUED and has_reached(saga):
        saga = reach(saga, ERASED)
    elif saga.status in _OPEN:
        saga = saga.to(N.CANCELLED, ERASED)
    return Decision(saga=saga, entries=(Entry(what=What.CANCELLED, why=ERASED),))
