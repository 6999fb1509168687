"""What only the broker in the process promises: a bound, and that it may lose everything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.broker import PublishRefused, topology
from shared.broker.in_process import InProcessBroker
from tests.contract.listening import Inbox, acknowledge, eventually, messages

QUEUE = topology.EVENTS


@pytest.fixture
async def small() -> AsyncIterator[InProcessBroker]:
    """A broker with room for two messages per queue."""
    broker = InProcessBroker(max_messages=2, retry_after_seconds=0.05)
    await broker.start()
    yield broker
    await broker.stop()


async def test_a_full_queue_refuses_and_the_others_do_not(small: InProcessBroker) -> None:
    outcomes = await small.publish([*messages(QUEUE, "a", "b", "c"), *messages(topology.RESULTS, "d")])

    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), PublishRefused, type(None)]


async def test_messages_in_hand_and_messages_that_wait_for_later_count_too(small: InProcessBroker) -> None:
    await small.subscribe(QUEUE, Inbox(), 10)
    await small.publish([*messages(QUEUE, "in hand"), *messages(QUEUE, "later", delay_seconds=2)])

    outcomes = await small.publish(messages(QUEUE, "one too many"))

    assert isinstance(outcomes[0], PublishRefused)


async def test_a_settled_message_makes_room_for_another(small: InProcessBroker) -> None:
    inbox = Inbox(acknowledge)
    await small.subscribe(QUEUE, inbox, 10)

    for number in range(5):
        assert await small.publish(messages(QUEUE, f"a{number}", f"b{number}")) == [None, None]
        await inbox.until(2 * (number + 1))


async def test_a_broker_that_lost_everything_says_so_and_goes_on(small: InProcessBroker) -> None:
    losses: list[str] = []

    async def note() -> None:
        losses.append("loss")

    small.on_loss = note
    inbox = Inbox()
    await small.subscribe(QUEUE, inbox, 1)
    await small.publish([*messages(QUEUE, "in hand"), *messages(topology.RESULTS, "waiting")])
    await inbox.until(1)

    small.lose_everything()

    await eventually(lambda: losses == ["loss"])
    assert set((await small.depths()).values()) == {0}
    assert await small.publish(messages(QUEUE, "new", "newer")) == [None, None]
    await inbox.until(2)
    inbox.received[0].reject()  # it is lost: there is nothing to settle, and no room to be made
    inbox.received[1].acknowledge()
    await inbox.until(3)
    assert inbox.ids == ["in hand", "new", "newer"]


async def test_a_broker_that_begins_says_that_what_an_earlier_process_held_is_lost() -> None:
    losses: list[str] = []

    async def note() -> None:
        losses.append("loss")

    broker = InProcessBroker(on_loss=note)
    await broker.start()
    await eventually(lambda: losses == ["loss"])

    assert losses == ["loss"]
    await broker.stop()
