"""What is taken back of a notification that failed, and what is said of the rest."""

from __future__ import annotations

import pytest

from functions.compensate.undoing import NOBODY_KNOWS, UNDOING, what_was_undone
from shared.saga import Compensated, Delivery
from shared.statuses import REACHED, UNDER_WAY, Channel, DeliveryStatus, NotificationStatus
from tests.unit.sagas import EMAIL, ID, SMS, WEBSOCKET, pending

D = DeliveryStatus


def undone(*deliveries: Delivery, in_inbox: bool = False) -> Compensated:
    saga = pending(status=NotificationStatus.COMPENSATING, deliveries=deliveries)
    return what_was_undone(saga, {ID} if in_inbox else set())


def test_of_every_channel_it_is_known_how_its_messages_are_taken_back_or_why_not() -> None:
    assert set(UNDOING) == set(Channel)
    assert [channel for channel, undoing in UNDOING.items() if not undoing.cannot] == []


@pytest.mark.parametrize("status", sorted(REACHED))
def test_what_lay_in_the_inbox_is_taken_out_and_of_the_rest_it_is_said_why_it_was_not(status: DeliveryStatus) -> None:
    found = undone(Delivery(channel=WEBSOCKET, status=status), Delivery(channel=EMAIL, status=status), in_inbox=True)

    assert found.retracted == {WEBSOCKET}
    assert found.not_undone == {EMAIL: "an e-mail cannot be called back"}


def test_what_was_not_in_the_inbox_is_not_said_to_have_been_taken_out() -> None:
    found = undone(Delivery(channel=WEBSOCKET, status=D.SENT))

    assert (found.retracted, found.not_undone) == (frozenset(), {WEBSOCKET: UNDOING[WEBSOCKET].cannot})


def test_of_what_may_have_been_sent_it_is_said_that_nobody_knows() -> None:
    assert undone(Delivery(channel=SMS, status=D.UNKNOWN)).not_undone == {SMS: NOBODY_KNOWS}


@pytest.mark.parametrize("status", sorted({D.FAILED, D.CANCELLED, *UNDER_WAY}))
def test_of_what_was_not_sent_there_is_nothing_to_say(status: DeliveryStatus) -> None:
    found = undone(Delivery(channel=EMAIL, status=status))

    assert (found.retracted, found.not_undone) == (frozenset(), {})
