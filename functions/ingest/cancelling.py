"""Call a notification back: one transaction over its saga, then what is owed is published."""

from __future__ import annotations

from uuid import UUID

from functions.ingest.status_documents import CancellationDocument
from shared.errors import Refused
from shared.folding import owed_after
from shared.outbox import messages
from shared.runtime import Resources
from shared.saga import Cancelled, Saga, decide
from shared.statuses import DeliveryStatus, NotificationStatus
from shared.telling import tell

SOURCE = "ingest"


async def cancel(resources: Resources, tenant: str, key: UUID, by: str) -> Saga | None:
    """Call it back; None when the tenant has none of that id. Twice is once, whoever asks the second time.

    What is owed is published after the commit; if that is lost, the sweep brings it.

    Raises:
        Refused: 409, it has ended otherwise, or it is in the person's hands.
    """
    if await resources.store.views.status(tenant, key) is None:  # so that no other tenant's row is ever locked
        return None
    async with resources.store.sagas.transaction() as sagas:
        change = (await sagas.lock([key])).get(key)
        if change is None:  # deleted meanwhile: it had ended long ago
            return None
        change.take(decide(change.before, Cancelled(by=by), sagas.now))
        await sagas.save([change])
    if change.after.cancelled_by is None:
        raise _too_late(change.after)
    tell(resources.metrics, [change], sagas.now)
    outgoing = messages(SOURCE, change.after, owed_after(change, sagas), sagas.now)
    if outgoing:
        refused = [answer for answer in await resources.publish(outgoing) if answer is not None]
        resources.metrics.publish_refused.labels(SOURCE).inc(len(refused))
    return change.after


def document_of(saga: Saga) -> CancellationDocument:
    """Say where it stands."""
    under_way = [delivery.channel for delivery in saga.current() if delivery.status is DeliveryStatus.SENDING]
    return CancellationDocument(
        id=str(saga.id), status=saga.status, cancelled_by=saga.cancelled_by, under_way=under_way
    )


_WHY_NOT = {
    NotificationStatus.DELIVERED: "it is in the person's hands",
    NotificationStatus.UNKNOWN: "nobody knows whether it was sent, and a person decides over its dead letter",
    NotificationStatus.FAILED: "nothing more is sent, unless its dead letter is replayed",
}


def _too_late(saga: Saga) -> Refused:
    if saga.digest_id is not None:
        return Refused(
            409, "In a digest", f"It is part of the digest {saga.digest_id}, which can be cancelled instead."
        )
    why = _WHY_NOT.get(saga.status, "nothing more is sent")
    return Refused(409, "Ended already", f"This notification is {saga.status} and cannot be cancelled: {why}.")
