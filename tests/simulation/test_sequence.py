"""Each promise about what follows what is broken once by hand, and noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from shared.saga import Delivery, Saga, Strategy
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from tests.simulation import sequence
from tests.simulation.history import DeliveryMoved, Moved
from tests.simulation.invariants import Invariant
from tests.simulation.record import Record
from tests.simulation.sequence import IN_SEQUENCE
from tests.simulation.test_invariants import BOUNCED, CAME_BACK, EMAIL, KEY, SENT, attempt, call, record, saga

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
WEBSOCKET, NEWER = Channel.WEBSOCKET, UUID(int=7)
BOTH = (EMAIL, WEBSOCKET)
QUEUED = Delivery(channel=WEBSOCKET, status=D.QUEUED)


def planned(strategy: Strategy, *deliveries: Delivery) -> Saga:
    """Make a saga of two channels."""
    return saga(N.QUEUED, *deliveries, strategy=strategy, steps=BOTH, unless_delivered_within_seconds={EMAIL: 60})


def went(at: float, channel: Channel, after: DeliveryStatus, reason: str = "so it was") -> DeliveryMoved:
    """Make a move of a delivery."""
    return DeliveryMoved(at=at, notification=KEY, channel=channel, before=None, after=after, epoch=0, reason=reason)


def escalated(at: float, before: DeliveryStatus) -> Record:
    """Let a mail be sent at once, and the next channel be asked for at this time."""
    moves = [went(0, EMAIL, D.QUEUED), went(1, EMAIL, before), went(at, WEBSOCKET, D.QUEUED)]
    return record(planned(Strategy.ESCALATE, SENT, QUEUED), attempt(K.ACCEPTED, at=1), delivery_moves=moves)


def ended_with(other: DeliveryStatus) -> Record:
    """Let a notification on all channels be given up while the other channel stands so."""
    moves = [went(1, WEBSOCKET, other), went(2, EMAIL, D.FAILED), went(3, WEBSOCKET, D.SENDING)]
    end = Moved(
        at=2, notification=KEY, before=N.QUEUED, after=N.COMPENSATING, epoch_before=0, epoch=0, has_dead_letter=False
    )
    return record(planned(Strategy.ALL, SENT, QUEUED), delivery_moves=moves, moves=[end])


def replaced(claimed_at: float, keys: Mapping[UUID, tuple[str, str]]) -> Record:
    """Let a newer notification be kept at 5 s, and the older one be claimed."""
    older = saga()
    newer = older.but(id=NEWER, created_at=older.created_at + timedelta(seconds=5))
    kept = Moved(at=5, notification=NEWER, before=None, after=N.PENDING, epoch_before=0, epoch=0, has_dead_letter=False)
    found = record(older, calls=[call(claimed_at=claimed_at)], moves=[replace(kept, notification=KEY, at=0), kept])
    return replace(found, sagas={KEY: older, NEWER: newer}, keys=keys)


BROKEN: dict[str, tuple[Invariant, Record, Record]] = {
    "a mail that came back and counts as sent": (
        sequence.what_came_back_does_not_count_as_sent,
        replace(record(saga(N.SENT, SENT)), returned=CAME_BACK),
        replace(record(saga(N.FAILED, BOUNCED)), returned=CAME_BACK),
    ),
    "a channel that is called off for another": (
        sequence.with_all_no_channel_is_called_off_for_another,
        record(
            planned(Strategy.ALL, SENT, QUEUED),
            delivery_moves=[went(1, WEBSOCKET, D.CANCELLED, "sent on another channel")],
        ),
        record(
            planned(Strategy.ALL, SENT, QUEUED), delivery_moves=[went(1, WEBSOCKET, D.CANCELLED, "nobody wants it")]
        ),
    ),
    "a channel that is not asked": (
        sequence.with_all_no_channel_is_called_off_for_another,
        record(planned(Strategy.ALL, SENT)),
        record(planned(Strategy.FIRST, SENT)),
    ),
    "an end before the last channel": (
        sequence.with_all_it_ends_with_its_last_channel,
        ended_with(D.SENDING),
        ended_with(D.FAILED),
    ),
    "two channels at a time": (
        sequence.one_channel_is_asked_at_a_time,
        escalated(90, D.RETRYING),
        escalated(90, D.FAILED),
    ),
    "an escalation before its time": (
        sequence.escalation_takes_its_time,
        escalated(60.9, D.SENT),
        escalated(61, D.SENT),
    ),
    "an escalation before its time, but not because of a failure": (
        sequence.escalation_takes_its_time,
        escalated(2, D.SENT),
        escalated(2, D.FAILED),
    ),
    "a message after another has taken its place": (
        sequence.what_has_been_replaced_is_not_sent,
        replaced(6, {KEY: ("ada", "a"), NEWER: ("ada", "a")}),
        replaced(4, {KEY: ("ada", "a"), NEWER: ("ada", "a")}),
    ),
    "a message after another has taken its place, but not another person's": (
        sequence.what_has_been_replaced_is_not_sent,
        replaced(6, {KEY: ("ada", "a"), NEWER: ("ada", "a")}),
        replaced(6, {KEY: ("ada", "a"), NEWER: ("bob", "a")}),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_promise_is_noticed_and_what_keeps_it_is_not(case: str) -> None:
    invariant, broken, kept = BROKEN[case]

    assert list(invariant(broken))
    assert list(invariant(kept)) == []


def test_every_promise_is_broken_once_by_hand() -> None:
    assert {invariant for invariant, _, _ in BROKEN.values()} == set(IN_SEQUENCE)
