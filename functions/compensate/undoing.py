"""One transaction: what was sent is taken back where the channel allows it, the saga ends, the dead letter is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from uuid import UUID

from shared.events import Event
from shared.folding import tell_ends
from shared.outbox import failed, messages
from shared.runtime import Resources
from shared.saga import Compensated, Saga, decide, owed
from shared.statuses import REACHED, Channel, DeliveryStatus, NotificationStatus
from shared.step import Done
from shared.store.changes import Change
from shared.store.sagas import SagaSet

SOURCE = "compensate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """How a message is taken back on a channel: out of the inbox, or not at all, and then why not."""

    cannot: str
    from_inbox: bool = False


UNDOING: dict[Channel, Undoing] = {
    Channel.EMAIL: Undoing(cannot="an e-mail cannot be called back"),
    Channel.WHATSAPP: Undoing(cannot="a WhatsApp message cannot be called back"),
    Channel.SMS: Undoing(cannot="a text message cannot be called back"),
    Channel.PUSH: Undoing(cannot="a push that a device may have shown cannot be called back"),
    Channel.TELEGRAM: Undoing(cannot="a Telegram message stays in its chat: it is not deleted from here"),
    Channel.WEBSOCKET: Undoing(from_inbox=True, cannot="it was not in the inbox any more"),
}
NOBODY_KNOWS = "nobody knows whether it was sent, so nothing was called back"


async def compensate_set(resources: Resources, events: Sequence[Event]) -> list[Done | Exception]:
    """Compensate a set of sagas; one that has left `compensating` meanwhile is told what it is owed instead."""
    ids = [event.data.notification_id for event in events if event.data.notification_id]
    async with resources.store.sagas.transaction() as sagas:
        changes = await sagas.lock(ids)
        open_ones = [c for c in changes.values() if c.before.status is NotificationStatus.COMPENSATING]
        retracted = await sagas.retract([c.before.id for c in open_ones if _is_in_inbox(c.before)])
        for change in open_ones:
            change.take(decide(change.before, what_was_undone(change.before, retracted), sagas.now))
        await sagas.save(open_ones)
        failures = [c.after for c in open_ones if c.after.status is NotificationStatus.FAILED]  # not what was cancelled
        await sagas.bury("notification", SOURCE, failures)
    resources.metrics.dead_letters.labels("notification").inc(len(failures))
    tell_ends(resources.metrics, open_ones)
    return [_answer(changes, sagas, event) for event in events]


def _is_in_inbox(saga: Saga) -> bool:
    return any(d.status in REACHED and UNDOING[d.channel].from_inbox for d in saga.deliveries)


def what_was_undone(saga: Saga, retracted: Set[UUID]) -> Compensated:
    """Say channel by channel what was taken back, and why the rest was not; `retracted` are those of the inboxes."""
    reached = [delivery.channel for delivery in saga.deliveries if delivery.status in REACHED]
    taken_back = {channel for channel in reached if UNDOING[channel].from_inbox and saga.id in retracted}
    doubtful = [delivery.channel for delivery in saga.current() if delivery.status is DeliveryStatus.UNKNOWN]
    left = {channel: UNDOING[channel].cannot for channel in reached if channel not in taken_back}
    return Compensated(retracted=frozenset(taken_back), not_undone={**left, **dict.fromkeys(doubtful, NOBODY_KNOWS)})


def _answer(changes: Mapping[UUID, Change], sagas: SagaSet, event: Event) -> Done:
    change = changes.get(event.data.notification_id) if event.data.notification_id else None
    if change is None:
        return Done()
    if change.after.status is NotificationStatus.FAILED:
        return Done([failed(SOURCE, change.after)])  # again on redelivery, under the same id
    return Done(messages(SOURCE, change.after, owed(change.after, sagas.now), sagas.now))
