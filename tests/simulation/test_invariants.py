"""Each promise is broken once by hand, and noticed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.saga import AttemptRecorded, Delivery, Entry, OnAmbiguous, Plan, Saga, What
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import Command
from tests.simulation import called_back, invariants, punctual
from tests.simulation.digests import OF_DIGESTS
from tests.simulation.history import Acceptance, Call, DeliveryMoved, History, Moved, Wish
from tests.simulation.invariants import INVARIANTS, Invariant
from tests.simulation.record import Record
from tests.simulation.sequence import IN_SEQUENCE
from tests.simulation.store.rows import AttemptRow, TimelineRow
from tests.simulation.weather import Climate, Weather

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY, TOKEN, EMAIL = UUID(int=1), UUID(int=2), Channel.EMAIL
N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
SENT = Delivery(channel=EMAIL, status=D.SENT)


def saga(status: NotificationStatus = N.SENT, *deliveries: Delivery, **plan: Any) -> Saga:
    return Saga(
        id=KEY,
        tenant="default",
        status=status,
        created_at=NOON,
        expires_at=NOON + timedelta(days=1),
        plan=Plan(**plan),
        deliveries=deliveries or (SENT,),
    )


def attempt(kind: OutcomeKind, number: int = 1, *, ambiguous: bool = False, at: float = 0, **more: Any) -> AttemptRow:
    token = UUID(int=100 + number)
    said = AttemptRecorded(channel=EMAIL, epoch=0, attempt=number, token=token, outcome=kind, **more)
    ended = NOON + timedelta(seconds=at)
    return AttemptRow(
        notification_id=KEY, tenant="default", said=said, ambiguous=ambiguous, started_at=ended, ended_at=ended
    )


def taken(at: float = 0, epoch: int = 0) -> Acceptance:
    return Acceptance(at=at, notification=KEY, channel=EMAIL, epoch=epoch, attempt=1, address="ada@example.test")


def call(number: int = 1, *, at: float = 0, claimed_at: float = 0, token: UUID | None = TOKEN) -> Call:
    command = Command(KEY, number, 0)
    return Call(asked_at=at, command=command, channel=EMAIL, user_id="ada", token=token, claimed_at=claimed_at)


def moved(
    before: NotificationStatus | None, after: NotificationStatus, *, epoch: int = 0, letter: bool = True
) -> Moved:
    return Moved(
        at=0, notification=KEY, before=before, after=after, epoch_before=0, epoch=epoch, has_dead_letter=letter
    )


def given_up() -> DeliveryMoved:
    reason = "no success in 4 tries: busy"
    return DeliveryMoved(
        at=9, notification=KEY, channel=EMAIL, before=D.SENDING, after=D.FAILED, epoch=0, reason=reason
    )


def record(
    one: Saga | None = None, *attempts: AttemptRow, climate: Climate = Climate.STORM, counted: Any = (), **events: Any
) -> Record:
    weather = Weather(climate=climate, seconds=60, latency_seconds=0.01)
    found = one or saga()
    return Record(
        weather=weather,
        history=History(**events),
        began=NOON,
        now=NOON,
        sagas={KEY: found},
        attempts=attempts,
        counted=dict(counted),
    )


FOUR_BUSY = tuple(attempt(K.TRANSIENT, number, at=100 * number) for number in range(1, 5))
NO_WISH = Wish(at=5, user_id="ada", category="*", channel=EMAIL, enabled=False)
OVERDUE = replace(SENT, deadline=NOON)
BOUNCED = replace(SENT, status=D.FAILED)
CAME_BACK = frozenset({(KEY, EMAIL, 0)})

CANCELLED = replace(saga(N.CANCELLED), cancelled_by="the caller", reason="cancelled by the caller")


def told(one: Saga, what: What) -> Record:
    line = Entry(what=what, why="cancelled by the caller", channel=EMAIL)
    return replace(record(one), timeline=(TimelineRow(notification_id=KEY, at=NOON, entries=(line,)),))


def waited(until: float, *, is_sink: bool = False, due_after: float = 10) -> Record:
    """Make a calm run in which a delivery that was due after so many seconds was asked for at some moment."""
    waits = DeliveryMoved(
        at=1,
        notification=KEY,
        channel=EMAIL,
        before=D.SENDING,
        after=D.DEFERRED,
        epoch=0,
        reason="busy",
        due_at=NOON + timedelta(seconds=due_after),
    )
    asked = replace(waits, at=until, before=D.DEFERRED, after=D.SENDING)
    one = record(climate=Climate.CALM, delivery_moves=[waits, asked])
    return replace(one, weather=replace(one.weather, is_sink=is_sink))


BROKEN: dict[str, tuple[Invariant, Record, Record]] = {
    "one that waits for longer than it is due": (
        punctual.what_waits_is_asked_for_in_time,
        waited(13.6),
        waited(13.4),
    ),
    "one that waits beyond an hour, and for longer than until the sweep's next look": (
        punctual.what_waits_is_asked_for_in_time,
        waited(4013.6, due_after=4000),
        waited(4013.4, due_after=4000),
    ),
    "one that the sweep alone brings, and too late": (
        punctual.what_waits_is_asked_for_in_time,
        waited(13.6, is_sink=True),
        waited(13.4, is_sink=True),
    ),
    "one that is under way": (
        invariants.every_accepted_notification_ends,
        record(saga(N.QUEUED)),
        record(saga()),
    ),
    "one that is sent and still waits for its deadline": (
        invariants.every_accepted_notification_ends,
        record(saga(N.SENT, OVERDUE)),
        record(saga(N.DELIVERED, OVERDUE)),
    ),
    "an answer without a row": (
        invariants.what_was_answered_is_kept,
        record(answered={UUID(int=9): "pending"}),
        record(answered={KEY: "pending"}),
    ),
    "two acceptances and nothing ambiguous": (
        invariants.what_is_sent_again_is_marked,
        record(None, attempt(K.TRANSIENT), attempt(K.ACCEPTED, 2), acceptances=[taken(0), taken(3)]),
        record(None, attempt(K.AMBIGUOUS, ambiguous=True), attempt(K.ACCEPTED, 2), acceptances=[taken(0), taken(3)]),
    ),
    "two acceptances where the workflow says hold": (
        invariants.what_may_not_be_repeated_is_not,
        record(saga(on_ambiguous=OnAmbiguous.HOLD), acceptances=[taken(0), taken(3)]),
        record(saga(on_ambiguous=OnAmbiguous.HOLD), acceptances=[taken(0), taken(3, epoch=1)]),
    ),
    "a failure of what was accepted": (
        invariants.what_may_be_sent_is_not_denied,
        record(saga(N.FAILED, replace(SENT, status=D.FAILED)), acceptances=[taken()]),
        record(saga(N.UNKNOWN, replace(SENT, status=D.UNKNOWN)), acceptances=[taken()]),
    ),
    "a success that does not win": (
        invariants.a_success_wins,
        record(saga(N.FAILED), attempt(K.ACCEPTED)),
        record(saga(N.SENT, SENT), attempt(K.ACCEPTED)),
    ),
    "a success that does not win, and another channel's came back": (
        invariants.a_success_wins,
        replace(record(saga(N.FAILED), attempt(K.ACCEPTED)), returned=frozenset({(KEY, Channel.SMS, 0)})),
        replace(record(saga(N.FAILED), attempt(K.ACCEPTED)), returned=CAME_BACK),
    ),
    "a failure of what was accepted, and of another epoch it came back": (
        invariants.what_may_be_sent_is_not_denied,
        replace(record(saga(N.FAILED, BOUNCED), acceptances=[taken(epoch=1)]), returned=CAME_BACK),
        replace(record(saga(N.FAILED, BOUNCED), acceptances=[taken()]), returned=CAME_BACK),
    ),
    "three acceptances of which one came back": (
        invariants.what_is_sent_again_is_marked,
        replace(record(acceptances=[taken(0), taken(3, epoch=1), taken(6, epoch=2)]), returned=CAME_BACK),
        replace(record(acceptances=[taken(0), taken(3, epoch=1)]), returned=CAME_BACK),
    ),
    "a way out of an end": (
        invariants.an_end_is_left_only_by_the_table,
        record(moves=[moved(N.DELIVERED, N.QUEUED)]),
        record(moves=[moved(N.FAILED, N.SENT), moved(N.EXPIRED, N.SENT), moved(None, N.PENDING)]),
    ),
    "a replay within the epoch": (
        invariants.an_end_is_left_only_by_the_table,
        record(moves=[moved(N.FAILED, N.PENDING)]),
        record(moves=[moved(N.FAILED, N.PENDING, epoch=1)]),
    ),
    "a failure without a dead letter": (
        invariants.what_needs_a_person_is_kept_for_one,
        record(moves=[moved(N.COMPENSATING, N.FAILED, letter=False)]),
        record(moves=[moved(N.COMPENSATING, N.FAILED)]),
    ),
    "a try too many": (
        invariants.tries_are_as_many_as_promised,
        record(None, *FOUR_BUSY, attempt(K.ACCEPTED, 5)),
        record(None, *FOUR_BUSY[1:], attempt(K.THROTTLED, 1), attempt(K.ACCEPTED, 5)),
    ),
    "a try too few": (
        invariants.tries_are_as_many_as_promised,
        record(saga(N.FAILED), *FOUR_BUSY[1:], delivery_moves=[given_up()]),
        record(saga(N.FAILED), *FOUR_BUSY, delivery_moves=[given_up()]),
    ),
    "a retry before its time": (
        invariants.waits_are_as_long_as_promised,
        record(None, attempt(K.TRANSIENT), calls=[call(), call(2, at=1.9)]),
        record(None, attempt(K.TRANSIENT), calls=[call(), call(2, at=9)]),
    ),
    "a throttled attempt before its time": (
        invariants.waits_are_as_long_as_promised,
        record(None, attempt(K.THROTTLED, retry_after_seconds=90), calls=[call(), call(2, at=89)]),
        record(None, attempt(K.THROTTLED, retry_after_seconds=90), calls=[call(), call(2, at=91)]),
    ),
    "a retry that is late where nothing goes wrong": (
        invariants.waits_are_as_long_as_promised,
        record(None, attempt(K.TRANSIENT), climate=Climate.CALM, calls=[call(), call(2, at=9)]),
        record(None, attempt(K.TRANSIENT), climate=Climate.CALM, calls=[call(), call(2, at=3)]),
    ),
    "a message after an opt-out": (
        invariants.who_does_not_want_it_does_not_get_it,
        record(calls=[call(claimed_at=6, at=7)], wishes=[NO_WISH]),
        record(calls=[call(claimed_at=4, at=7)], wishes=[NO_WISH]),
    ),
    "a call without a claim": (
        invariants.a_call_has_its_claim_and_its_time,
        record(calls=[call(token=None)]),
        record(calls=[call()]),
    ),
    "a call at the end of its lease": (
        invariants.a_call_has_its_claim_and_its_time,
        record(calls=[call(at=41)]),
        record(calls=[call(at=39)]),
    ),
    "a counter that knows more than the world": (
        invariants.counters_equal_the_world,
        record(counted={"accepted": 2.0}),
        record(counted={"accepted": 0.0}),
    ),
    "a line without a reason": (
        invariants.every_line_has_a_reason,
        replace(
            record(), timeline=(TimelineRow(notification_id=KEY, at=NOON, entries=(Entry(what=What.SENT, why=" "),)),)
        ),
        record(),
    ),
    "a message after its cancellation": (
        called_back.what_is_called_back_is_not_sent_any_more,
        record(calls=[call(claimed_at=6, at=7)], cancelled={KEY: 5}),
        record(calls=[call(claimed_at=4, at=7)], cancelled={KEY: 5}),
    ),
    "a cancellation that is forgotten": (
        called_back.what_is_called_back_ends_cancelled,
        record(saga(N.SENT), cancelled={KEY: 5}),
        record(saga(N.CANCELLED), cancelled={KEY: 5}),
    ),
    "a dead letter of what was called back": (
        called_back.what_is_called_back_ends_cancelled,
        record(saga(N.CANCELLED), cancelled={KEY: -1}, moves=[moved(N.COMPENSATING, N.FAILED)]),
        record(saga(N.CANCELLED), cancelled={KEY: 1}, moves=[moved(N.COMPENSATING, N.FAILED)]),
    ),
    "a cancellation by nobody": (
        called_back.what_is_cancelled_was_called_back,
        told(replace(CANCELLED, cancelled_by=None), What.CANCELLED),
        told(CANCELLED, What.CANCELLED),
    ),
    "a cancellation that is not told": (
        called_back.what_is_cancelled_was_called_back,
        told(CANCELLED, What.CANCELLING),
        told(CANCELLED, What.CANCELLED),
    ),
    "a cancelled notification that lies in a mailbox": (
        called_back.what_could_not_be_undone_is_told,
        told(CANCELLED, What.CANCELLED),
        told(CANCELLED, What.NOT_UNDONE),
    ),
    "a success that a cancellation hides": (
        invariants.a_success_wins,
        record(replace(CANCELLED, deliveries=(replace(SENT, status=D.CANCELLED),)), attempt(K.ACCEPTED)),
        record(CANCELLED, attempt(K.ACCEPTED)),
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_promise_is_noticed_and_what_keeps_it_is_not(case: str) -> None:
    invariant, broken, kept = BROKEN[case]

    assert list(invariant(broken))
    assert list(invariant(kept)) == []


def test_every_promise_is_broken_once_by_hand() -> None:
    assert {invariant for invariant, _, _ in BROKEN.values()} == set(INVARIANTS) - set(IN_SEQUENCE) - set(OF_DIGESTS)


def test_every_promise_is_a_sentence() -> None:
    assert [i.__name__ for i in INVARIANTS if not (i.__doc__ or "").endswith(".")] == []
