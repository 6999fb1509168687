"""What is owed in which state, and when somebody looks again."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from shared.outbox import messages
from shared.saga import (
    CommandOwed,
    CompensationOwed,
    Delivery,
    EventOwed,
    LookOwed,
    Owed,
    ResultOwed,
    Saga,
    due_now,
    next_look,
    owed,
)
from shared.statuses import TERMINAL, DeliveryStatus, NotificationStatus, OutcomeKind
from tests.unit.sagas import EMAIL, NOON, pending

N, D = NotificationStatus, DeliveryStatus
TOKEN = UUID("2f8e4c2c-9f0b-4f5b-8f43-6a54b7e1c0de")
SOON, PAST = NOON + timedelta(seconds=40), NOON - timedelta(seconds=1)


def saga(status: NotificationStatus, delivery: Delivery | None = None, **changes: object) -> Saga:
    return pending(status=status, deliveries=(delivery,) if delivery else (), **changes)


def delivery(status: DeliveryStatus, **changes: object) -> Delivery:
    return Delivery(channel=EMAIL, status=status, attempt=3, **changes)  # type: ignore[arg-type]


def command(due_at: datetime | None = None) -> CommandOwed:
    return CommandOwed(channel=EMAIL, attempt=3, epoch=0, due_at=due_at)


def result(*, succeeded: bool) -> ResultOwed:
    return ResultOwed(channel=EMAIL, attempt=3, epoch=0, token=TOKEN, succeeded=succeeded)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (saga(N.SCHEDULED, send_at=SOON), []),
        (saga(N.PENDING), [EventOwed()]),
        (saga(N.COMPENSATING, delivery(D.FAILED)), [CompensationOwed()]),
        (saga(N.QUEUED, delivery(D.QUEUED)), [command()]),
        (saga(N.QUEUED, delivery(D.RETRYING, due_at=SOON)), [command(SOON)]),
        (saga(N.QUEUED, delivery(D.DEFERRED, due_at=SOON)), [command(SOON)]),
        (saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, lease_until=SOON)), []),
        (saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, lease_until=PAST)), [command()]),
        (saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, lease_until=NOON)), [command()]),
        (saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, outcome=OutcomeKind.ACCEPTED)), [result(succeeded=True)]),
        (saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, outcome=OutcomeKind.TRANSIENT)), [result(succeeded=False)]),
        (saga(N.SENT, delivery(D.SENT, deadline=SOON)), [LookOwed(channel=EMAIL, due_at=SOON)]),
        (saga(N.SENT, delivery(D.SENT)), []),
    ],
)
def test_every_state_is_owed_what_brings_it_on(what: Saga, expected: list[Owed]) -> None:
    assert owed(what, NOON) == expected


@pytest.mark.parametrize("status", sorted(set(NotificationStatus) - TERMINAL))
def test_every_notification_under_way_is_looked_at_again(status: NotificationStatus) -> None:
    look = next_look(saga(status, delivery(D.QUEUED)), NOON)

    assert look is not None
    assert look > NOON


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_notification_is_owed_nothing_and_never_looked_at_again(status: NotificationStatus) -> None:
    ended = saga(status, delivery(D.SENT))

    assert owed(ended, NOON) == []
    assert next_look(ended, NOON) is None


def test_a_delivery_of_an_older_epoch_is_owed_nothing() -> None:
    assert owed(saga(N.QUEUED, delivery(D.QUEUED), epoch=1), NOON) == []


def test_the_looks_begin_after_half_a_minute_and_double_to_a_quarter_of_an_hour() -> None:
    looks = [next_look(saga(N.PENDING), NOON, count) for count in range(8)]

    waits = [(look - NOON).total_seconds() for look in looks if look]
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_after_a_year_of_looks_it_is_still_looked_at() -> None:
    look = next_look(saga(N.COMPENSATING), NOON, 32_767)

    assert look == NOON + timedelta(minutes=15)


def test_what_is_due_later_is_looked_at_shortly_after_it_was_due() -> None:
    look = next_look(saga(N.QUEUED, delivery(D.RETRYING, due_at=SOON)), NOON)

    assert look == SOON + timedelta(seconds=5)


def test_a_lease_is_looked_at_when_it_ends() -> None:
    look = next_look(saga(N.QUEUED, delivery(D.SENDING, token=TOKEN, lease_until=SOON)), NOON)

    assert look == SOON + timedelta(seconds=1)


def test_a_scheduled_notification_is_looked_at_at_its_time() -> None:
    assert next_look(saga(N.SCHEDULED, send_at=SOON), NOON) == SOON


def test_a_notification_is_looked_at_when_it_expires_even_if_its_next_try_is_later() -> None:
    expires_at = NOON + timedelta(minutes=1)
    waiting = delivery(D.DEFERRED, due_at=NOON + timedelta(hours=1))

    assert next_look(saga(N.QUEUED, waiting, expires_at=expires_at), NOON) == expires_at


def test_what_should_have_expired_is_looked_at_within_a_second() -> None:
    waiting = delivery(D.DEFERRED, due_at=SOON)

    assert next_look(saga(N.QUEUED, waiting, expires_at=PAST), NOON) == NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("under_way", "wait_seconds"),
    [
        (delivery(D.SENDING, token=TOKEN, outcome=OutcomeKind.ACCEPTED), 240),
        (delivery(D.SENDING, token=TOKEN, lease_until=PAST), 240),
        (delivery(D.SENDING, token=TOKEN, lease_until=SOON), 41),
    ],
)
def test_a_call_that_outlives_the_expiry_is_not_asked_about_every_second(
    under_way: Delivery, wait_seconds: int
) -> None:
    look = next_look(saga(N.QUEUED, under_way, expires_at=PAST), NOON, 3)

    assert look == NOON + timedelta(seconds=wait_seconds)


def test_only_what_is_due_is_due() -> None:
    items = [command(), command(NOON), command(SOON), EventOwed()]

    assert due_now(list[Owed](items), NOON) == [command(), command(NOON), EventOwed()]


def test_what_is_due_later_goes_into_the_longest_delay_that_is_not_too_long() -> None:
    written = messages("orchestrate", pending(), [command(SOON)], NOON)

    assert [message.delay_seconds for message in written] == [15]


def test_what_is_due_beyond_the_longest_delay_is_left_to_the_sweep() -> None:
    far = command(NOON + timedelta(hours=1, seconds=1))

    assert messages("orchestrate", pending(), [far], NOON) == []
