"""One transaction: what was sent is taken back where the channel allows it, the saga ends, the dead letter is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from shared.events import Event
from shared.folding import tell_ends
from shared.outbox import failed, messages
from shared.runtime import Resources
from shared.saga import Compensated, Saga, decide, owed
from shared.statuses import REACHED, Channel, NotificationStatus
from shared.step import Done
from shared.store.changes import Change
from shared.store.sagas import SagaSet

SOURCE = "compensate"

CANNOT_BE_UNDONE: dict[Channel, str] = {
    Channel.EMAIL: "an e-mail cannot be called back",
    Channel.WHATSAPP: "a WhatsApp message cannot be called back",
    Channel.SMS: "a text message cannot be called back",
    Channel.PUSH: "a push cannot be called back",
    Channel.TELEGRAM: "a Telegram message cannot be called back",
}


async def compensate_set(resources: Resources, events: Sequence[Event]) -> list[Done | Exception]:
    """Compensate a set of sagas; one that has left `compensating` meanwhile is told what it is owed instead."""
    ids = [event.data.notification_id for event in events if event.data.notification_id]
    async with resources.store.sagas.transaction() as sagas:
        changes = await sagas.lock(ids)
        open_ones = [c for c in changes.values() if c.before.status is NotificationStatus.COMPENSATING]
        retracted = await sagas.retract([c.before.id for c in open_ones if _was_pushed(c.before)])
        for change in open_ones:
            change.take(decide(change.before, _what_was_undone(change.before, retracted), sagas.now))
        await sagas.save(open_ones)
        await sagas.bury("notification", SOURCE, [change.after for change in open_ones])
    resources.metrics.dead_letters.labels("notification").inc(len(open_ones))
    tell_ends(resources.metrics, open_ones)
    return [_answer(changes, sagas, event) for event in events]


def _was_pushed(saga: Saga) -> bool:
    delivery = saga.delivery(Channel.WEBSOCKET)
    return delivery is not None and delivery.status in REACHED


def _what_was_undone(saga: Saga, retracted: set[UUID]) -> Compensated:
    reached = [delivery.channel for delivery in saga.deliveries if delivery.status in REACHED]
    taken_back = frozenset({Channel.WEBSOCKET} if saga.id in retracted else ())
    return Compensated(
        retracted=taken_back,
        not_undone={channel: CANNOT_BE_UNDONE[channel] for channel in reached if channel in CANNOT_BE_UNDONE},
    )


def _answer(changes: Mapping[UUID, Change], sagas: SagaSet, event: Event) -> Done:
    change = changes.get(event.data.notification_id) if event.data.notification_id else None
    if change is None:
        return Done()
    if change.after.status is NotificationStatus.FAILED:
        return Done([failed(SOURCE, change.after)])  # again on redelivery, under the same id
    return Done(messages(SOURCE, change.after, owed(change.after, sagas.now), sagas.now))
