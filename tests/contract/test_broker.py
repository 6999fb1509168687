"""What every broker promises: one suite for RabbitMQ, for the one in the process, and for what a sink can promise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from shared.broker import Broker, Message, PublishRefused, Received, topology
from shared.events import CONTENT_TYPE
from tests.contract.listening import Inbox, acknowledge, eventually, messages

QUEUE = topology.EVENTS


async def test_a_broker_is_ready_from_its_start_to_its_stop(make_publisher: Callable[[], Broker]) -> None:
    broker = make_publisher()
    before = broker.is_ready

    await broker.start()
    await eventually(lambda: broker.is_ready)
    await broker.stop()

    assert (before, broker.is_ready) == (False, False)


async def test_a_confirmed_message_arrives_whole(broker: Broker) -> None:
    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 10)

    outcomes = await broker.publish([Message(queue=QUEUE, id="whole", body=b'{"a":"\xc3\xbc"}')])

    assert outcomes == [None]
    [message] = await inbox.until(1)
    assert (message.queue, message.message_id, message.content_type) == (QUEUE, "whole", CONTENT_TYPE)
    assert (message.body, message.redelivered) == (b'{"a":"\xc3\xbc"}', False)


async def test_each_work_queue_gets_its_own_messages_and_no_others(broker: Broker) -> None:
    inboxes = {queue: Inbox(acknowledge) for queue in topology.WORK_QUEUES}
    for queue, inbox in inboxes.items():
        await broker.subscribe(queue, inbox, 10)

    outcomes = await broker.publish([Message(queue=queue, id=queue, body=b"{}") for queue in topology.WORK_QUEUES])

    assert outcomes == [None] * len(topology.WORK_QUEUES)
    for queue, inbox in inboxes.items():
        await inbox.until(1)
        assert inbox.ids == [queue]


async def test_messages_of_one_queue_arrive_in_order_and_together(broker: Broker) -> None:
    ids = [str(number) for number in range(200)]
    await broker.publish(messages(QUEUE, *ids))
    inbox = Inbox(acknowledge)

    await broker.subscribe(QUEUE, inbox, 100)

    await inbox.until(200)
    assert inbox.ids == ids
    assert inbox.calls < 200


async def test_outcomes_come_in_the_order_of_the_messages(publisher: Broker) -> None:
    mixed = [*messages(QUEUE, "first"), *messages("no.such.queue", "lost"), *messages(topology.RESULTS, "last")]

    outcomes = await publisher.publish(mixed)

    assert [type(outcome) for outcome in outcomes] == [type(None), PublishRefused, type(None)]


async def test_publishing_nothing_succeeds(publisher: Broker) -> None:
    outcomes = await publisher.publish([])

    assert outcomes == []


@pytest.mark.parametrize(("queue", "delay_seconds"), [("no.such.queue", 0), ("no.such.queue", 2), (QUEUE, 3)])
async def test_a_message_that_would_reach_nobody_is_refused(publisher: Broker, queue: str, delay_seconds: int) -> None:
    outcomes = await publisher.publish(messages(queue, "lost", delay_seconds=delay_seconds))

    assert isinstance(outcomes[0], PublishRefused)


async def test_a_delayed_message_comes_home_and_never_early(broker: Broker) -> None:
    loop = asyncio.get_running_loop()
    arrivals: list[float] = []

    def note(received: Sequence[Received]) -> None:
        arrivals.append(loop.time())
        for message in received:
            message.acknowledge()

    await broker.subscribe(QUEUE, note, 10)
    published = loop.time()

    outcomes = await broker.publish(messages(QUEUE, "later", delay_seconds=2))

    assert outcomes == [None]
    await eventually(lambda: bool(arrivals))
    assert arrivals[0] - published >= 2.0


async def test_a_short_delay_is_not_held_up_by_a_longer_one(broker: Broker) -> None:
    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 10)

    await broker.publish([*messages(QUEUE, "slow", delay_seconds=4), *messages(QUEUE, "quick", delay_seconds=2)])

    await inbox.until(2)
    assert inbox.ids == ["quick", "slow"]


async def test_a_rejected_message_comes_back(broker: Broker) -> None:
    inbox = Inbox(lambda message: message.reject() if len(inbox.received) < 3 else message.acknowledge())
    await broker.subscribe(QUEUE, inbox, 10)

    await broker.publish(messages(QUEUE, "stubborn"))

    await inbox.until(3)
    assert inbox.ids == ["stubborn"] * 3


async def test_a_rejected_message_does_not_hold_up_its_neighbours(broker: Broker) -> None:
    inbox = Inbox(lambda message: message.reject() if message.message_id == "bad" else message.acknowledge())
    await broker.subscribe(QUEUE, inbox, 10)

    await broker.publish(messages(QUEUE, "bad", "good", "best"))

    await inbox.until(4)
    assert inbox.ids == ["bad", "good", "best", "bad"]


async def test_messages_that_a_step_could_not_take_over_come_back(broker: Broker) -> None:
    inbox = Inbox(acknowledge)

    def fail_once(received: Sequence[Received]) -> None:
        inbox(received) if inbox.calls else fail()

    def fail() -> None:
        inbox.calls += 1
        raise ZeroDivisionError

    await broker.subscribe(QUEUE, fail_once, 10)

    await broker.publish(messages(QUEUE, "kept"))

    await inbox.until(1)
    assert inbox.ids == ["kept"]


async def test_what_a_cancelled_subscription_did_not_settle_is_delivered_again(broker: Broker) -> None:
    first, second = Inbox(), Inbox(acknowledge)
    subscription = await broker.subscribe(QUEUE, first, 10)
    await broker.publish(messages(QUEUE, "settled", "forgotten"))
    await first.until(2)

    await subscription.cancel()
    first.received[0].acknowledge()  # what is in hand may still be settled
    await broker.subscribe(QUEUE, second, 10)

    await second.until(1)
    assert [(message.message_id, message.redelivered) for message in second.received] == [("forgotten", True)]


async def test_a_cancelled_subscription_takes_no_more(broker: Broker) -> None:
    first, second = Inbox(acknowledge), Inbox(acknowledge)
    subscription = await broker.subscribe(QUEUE, first, 10)
    await subscription.cancel()
    await subscription.cancel()

    await broker.publish(messages(QUEUE, "late"))
    await broker.subscribe(QUEUE, second, 10)

    await second.until(1)
    assert first.ids == []


async def test_nobody_holds_more_than_his_prefetch(broker: Broker) -> None:
    inbox, elsewhere = Inbox(), Inbox(acknowledge)
    await broker.publish(messages(QUEUE, *"abcdefghij"))
    await broker.subscribe(QUEUE, inbox, 3)
    await broker.subscribe(topology.RESULTS, elsewhere, 3)
    await inbox.until(3)

    await broker.publish([*messages(QUEUE, "k"), *messages(topology.RESULTS, "marker")])

    await elsewhere.until(1)
    await until_depth(broker, QUEUE, 8)
    assert inbox.ids == ["a", "b", "c"]


async def test_a_settled_message_makes_room_for_the_next(broker: Broker) -> None:
    inbox = Inbox()
    await broker.publish(messages(QUEUE, *"abcd"))
    await broker.subscribe(QUEUE, inbox, 2)
    await inbox.until(2)

    inbox.received[1].acknowledge()

    await inbox.until(3)
    await until_depth(broker, QUEUE, 1)
    assert inbox.ids == ["a", "b", "c"]


async def test_settling_twice_counts_once(broker: Broker) -> None:
    inbox = Inbox()
    await broker.publish(messages(QUEUE, *"abcd"))
    await broker.subscribe(QUEUE, inbox, 2)
    await inbox.until(2)

    for _ in range(2):
        inbox.received[0].acknowledge()
        inbox.received[0].reject()

    await inbox.until(3)
    await until_depth(broker, QUEUE, 1)
    assert inbox.ids == ["a", "b", "c"]


async def test_two_subscriptions_share_the_work(broker: Broker) -> None:
    first, second = Inbox(acknowledge), Inbox(acknowledge)
    await broker.subscribe(QUEUE, first, 100)
    await broker.subscribe(QUEUE, second, 100)
    ids = [str(number) for number in range(100)]

    await broker.publish(messages(QUEUE, *ids))

    await eventually(lambda: len(first.ids) + len(second.ids) == 100)
    assert sorted(first.ids + second.ids) == sorted(ids)
    assert first.ids
    assert second.ids


async def test_one_of_a_lower_priority_gets_only_what_the_others_have_no_room_for(broker: Broker) -> None:
    helping, working = Inbox(), Inbox()
    await broker.subscribe(QUEUE, helping, 10, priority=-1)
    await broker.subscribe(QUEUE, working, 3)

    await broker.publish(messages(QUEUE, "a", "b"))
    await working.until(2)
    await broker.publish(messages(QUEUE, *"cdef"))

    await helping.until(3)
    assert (working.ids, helping.ids) == (["a", "b", "c"], ["d", "e", "f"])


async def test_a_queue_that_the_table_does_not_know_cannot_be_consumed(broker: Broker) -> None:
    with pytest.raises(KeyError):
        await broker.subscribe("no.such.queue", Inbox(), 10)


async def test_a_hint_reaches_everybody_who_listens(publisher: Broker) -> None:
    heard: dict[str, list[bytes]] = {"one": [], "two": []}
    await publisher.listen(heard["one"].append)
    two = await publisher.listen(heard["two"].append)

    publisher.hint(b"for both")
    await eventually(lambda: all(heard.values()))
    await two.cancel()
    publisher.hint(b"for one")

    await eventually(lambda: len(heard["one"]) == 2)
    assert heard == {"one": [b"for both", b"for one"], "two": [b"for both"]}


async def test_the_parking_lot_forgets_its_oldest(broker: Broker) -> None:
    over = topology.PARKING_LOT_LENGTH + 5
    ids = [str(number) for number in range(over)]
    for start in range(0, over, 1000):
        outcomes = await broker.publish(messages(topology.PARKING_LOT, *ids[start : start + 1000]))
        assert not any(outcomes)

    await until_depth(broker, topology.PARKING_LOT, topology.PARKING_LOT_LENGTH)

    inbox = Inbox()
    await broker.subscribe(topology.PARKING_LOT, inbox, 1)
    await inbox.until(1)
    assert inbox.ids == ["5"]


async def test_depths_name_every_work_queue_and_the_parking_lot(broker: Broker) -> None:
    depths = await broker.depths()

    assert depths == dict.fromkeys((*topology.WORK_QUEUES, topology.PARKING_LOT), 0)


async def test_a_publish_under_way_is_answered_when_the_broker_stops(publisher: Broker) -> None:
    under_way = asyncio.create_task(publisher.publish(messages(QUEUE, *"abc")))
    await asyncio.sleep(0)

    await publisher.stop()

    assert await under_way == [None, None, None]


async def test_after_the_stop_a_publish_is_refused_instead_of_raising(publisher: Broker) -> None:
    await publisher.stop()

    outcomes = await publisher.publish(messages(QUEUE, "late"))

    assert isinstance(outcomes[0], PublishRefused)
    assert not publisher.is_ready
    assert await publisher.depths() == {}


async def until_depth(broker: Broker, queue: str, depth: int) -> None:
    """Wait until so many messages wait: a real broker counts a moment later."""
    async with asyncio.timeout(20):
        while (await broker.depths()).get(queue) != depth:  # noqa: ASYNC110 - the broker has no event for it
            await asyncio.sleep(0.01)
