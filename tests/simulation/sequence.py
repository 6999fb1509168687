"""What must be true of how channels, and notifications, follow each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shared.saga import Strategy
from shared.statuses import UNDER_WAY, DeliveryStatus, NotificationStatus, OutcomeKind
from tests.simulation.history import DeliveryMoved, Moved
from tests.simulation.record import Record

N, D = NotificationStatus, DeliveryStatus

CALLED_OFF = ("sent on another channel", "it was acknowledged on another channel")


def what_came_back_does_not_count_as_sent(record: Record) -> Iterator[str]:
    """What a provider has reported as undeliverable does not count as sent, however early the report came."""
    for key, channel, epoch in record.returned:
        delivery = record.sagas[key].delivery(channel)
        if delivery is not None and (delivery.status, delivery.epoch) == (D.SENT, epoch):
            yield f"{key} came back on {channel} in epoch {epoch} and is {delivery.status}"


def with_all_no_channel_is_called_off_for_another(record: Record) -> Iterator[str]:
    """Where the workflow asks for all channels, each is asked, and none is called off for another."""
    for moved in _moves(record, Strategy.ALL):
        if moved.after is D.CANCELLED and moved.reason in CALLED_OFF:
            yield f"{moved.notification} was called off on {moved.channel}: {moved.reason}"
    for key, saga in record.sagas.items():
        asked = {delivery.channel for delivery in saga.current()}
        if saga.plan.strategy is Strategy.ALL and asked and not asked >= set(saga.plan.steps):
            yield f"{key} was only asked for on {', '.join(sorted(asked))}"


def with_all_it_ends_with_its_last_channel(record: Record) -> Iterator[str]:
    """Where the workflow asks for all channels, a notification ends when the last of them has."""
    for ended in record.history.moves:
        saga = record.sagas[ended.notification]
        if saga.plan.strategy is not Strategy.ALL or ended.epoch != saga.epoch or ended.before is not N.QUEUED:
            continue
        stood = {m.channel: m.after for m in _moves(record, Strategy.ALL) if _is_of(m, ended)}
        late = sorted(channel for channel, status in stood.items() if status in UNDER_WAY)
        if late:
            yield f"{ended.notification} became {ended.after} while {', '.join(late)} was under way"


def one_channel_is_asked_at_a_time(record: Record) -> Iterator[str]:
    """But with all, the next channel is asked when the one before has ended, or was sent."""
    for strategy in (Strategy.FIRST, Strategy.ESCALATE):
        for moved, before in _followed(record, strategy):
            if before.after in UNDER_WAY:
                yield f"{moved.notification} was asked for on {moved.channel} while {before.channel} was {before.after}"


def escalation_takes_its_time(record: Record) -> Iterator[str]:
    """A workflow that escalates asks the next channel only after its time, unless the one before has failed."""
    for moved, before in _followed(record, Strategy.ESCALATE):
        seconds = record.sagas[moved.notification].plan.unless_delivered_within_seconds[before.channel]
        sent_at = [
            record.seconds(attempt.ended_at)
            for attempt in record.attempts
            if (attempt.notification_id, attempt.said.channel, attempt.said.epoch)
            == (moved.notification, before.channel, moved.epoch)
            and attempt.said.outcome is OutcomeKind.ACCEPTED
        ]
        if before.after is D.SENT and sent_at and moved.at < min(sent_at) + seconds:
            early = min(sent_at) + seconds - moved.at
            yield f"{moved.notification} was asked for on {moved.channel} {early:.3f} s early"


def what_has_been_replaced_is_not_sent(record: Record) -> Iterator[str]:
    """Nobody is called for a notification that a newer one had replaced when the attempt was claimed."""
    kept_at = {moved.notification: moved.at for moved in record.history.moves if moved.before is None}
    for call in record.history.calls:
        key = call.command.notification_id
        mine = record.keys.get(key)
        for other, theirs in record.keys.items():
            is_newer = theirs == mine and record.sagas[other].created_at > record.sagas[key].created_at
            if is_newer and kept_at[other] < call.claimed_at:
                yield f"{key} was sent although {other} had taken its place"


def _moves(record: Record, strategy: Strategy) -> Iterator[DeliveryMoved]:
    """Find the moves of deliveries under a strategy, in the last life of each notification: its plan is known."""
    for moved in record.history.delivery_moves:
        saga = record.sagas[moved.notification]
        if saga.plan.strategy is strategy and moved.epoch == saga.epoch:
            yield moved


def _is_of(moved: DeliveryMoved, ended: Moved) -> bool:
    return moved.notification == ended.notification and moved.at <= ended.at


def _followed(record: Record, strategy: Strategy) -> Iterator[tuple[DeliveryMoved, DeliveryMoved]]:
    """Pair the first question to a channel with how the channel before it stood by then."""
    moves = list(_moves(record, strategy))
    for place, moved in enumerate(moves):
        steps = record.sagas[moved.notification].plan.steps
        is_first = not any(
            (other.notification, other.channel) == (moved.notification, moved.channel) for other in moves[:place]
        )
        if not is_first or moved.channel not in steps[1:]:
            continue
        previous = steps[steps.index(moved.channel) - 1]
        before = [
            other
            for other in moves
            if (other.notification, other.channel) == (moved.notification, previous) and other.at <= moved.at
        ]
        if before:
            yield moved, before[-1]


IN_SEQUENCE: tuple[Callable[[Record], Iterator[str]], ...] = (
    what_came_back_does_not_count_as_sent,
    with_all_no_channel_is_called_off_for_another,
    with_all_it_ends_with_its_last_channel,
    one_channel_is_asked_at_a_time,
    escalation_takes_its_time,
    what_has_been_replaced_is_not_sent,
)
