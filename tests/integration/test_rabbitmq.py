"""RabbitMQ as it fails in the field: killed, blocked, emptied, wiped, away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pika
import pytest

from infrastructure.local.rabbitmq import PrivateNode
from shared.broker import PublishRefused, topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.clean_slate import delete_all_queues, hurried_queues
from tests.contract.listening import Inbox, acknowledge, eventually, messages

pytestmark = pytest.mark.rabbit

QUEUE = topology.EVENTS
DEADLINE_SECONDS = 7.0  # a publish ends in five
DIE_WITH_A_MESSAGE_IN_HAND = """
import os, signal, sys, time, pika
for _ in range(20):
    told, tell = os.pipe()
    consumer = os.fork()
    if not consumer:
        channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
        deadline = time.monotonic() + 20
        while channel.basic_get(sys.argv[2])[0] is None:
            assert time.monotonic() < deadline, "no message came"
            time.sleep(0.02)
        os.write(tell, b"in hand")
        time.sleep(60)
    os.close(tell)
    assert os.read(told, 7) == b"in hand"
    os.kill(consumer, signal.SIGKILL)
    os.waitpid(consumer, 0)
    print("died", flush=True)
"""
"""Twenty processes, each forked: to import pika for each would take longer than all the rest."""


class Losses:
    """Count how often a loss was announced."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


class Publishers:
    """Publish without a pause, and remember what was confirmed and how much was refused."""

    def __init__(self, broker: RabbitBroker) -> None:
        self.confirmed: set[str] = set()
        self.refused = 0
        self._broker = broker

    @asynccontextmanager
    async def running(self, count: int = 4) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._publish(f"p{number}")) for number in range(count)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def more(self, count: int) -> None:
        """Wait for so many more confirms."""
        enough = len(self.confirmed) + count
        await eventually(lambda: len(self.confirmed) >= enough)

    async def _publish(self, name: str) -> None:
        number = 0
        while True:
            ids = [f"{name}-{number + each}" for each in range(10)]
            number += 10
            for each, outcome in zip(ids, await self._broker.publish(messages(QUEUE, *ids)), strict=True):
                if outcome is None:
                    self.confirmed.add(each)
                else:
                    self.refused += 1
            await asyncio.sleep(0)  # also when refused at once


@pytest.fixture(scope="module")
def running_node() -> Iterator[PrivateNode]:
    """A node of our own, even where AMQP_URL names another: these tests kill it."""
    with PrivateNode() as node:
        yield node


@pytest.fixture
async def node(running_node: PrivateNode) -> PrivateNode:
    """The node, running and empty."""
    await asyncio.to_thread(running_node.start)
    await asyncio.to_thread(delete_all_queues, running_node.url)
    return running_node


@pytest.fixture
async def mortal_node(node: PrivateNode) -> AsyncIterator[PrivateNode]:
    """The same for a test that kills it: what a killed node comes back with is no other test's trouble."""
    yield node
    await asyncio.to_thread(node.wipe)


@pytest.fixture
def losses() -> Losses:
    """The losses that the broker announced."""
    return Losses()


@pytest.fixture
async def broker(node: PrivateNode, losses: Losses) -> AsyncIterator[RabbitBroker]:
    """A started broker, after it announced that it found nothing."""
    broker = RabbitBroker(node.url, losses, queues=hurried_queues)
    await broker.start()
    await eventually(lambda: losses.count == 1)
    losses.count = 0
    yield broker
    await broker.stop()


async def received_ids(broker: RabbitBroker, wanted: set[str]) -> set[str]:
    """Read the queue until everything wanted is there."""
    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 300)
    await eventually(lambda: wanted <= set(inbox.ids))
    return set(inbox.ids)


async def test_a_killed_broker_loses_nothing_that_it_confirmed(mortal_node: PrivateNode, broker: RabbitBroker) -> None:
    publishers = Publishers(broker)

    async with publishers.running():
        await publishers.more(500)
        await asyncio.to_thread(mortal_node.kill)
        await eventually(lambda: publishers.refused > 0)
        await asyncio.to_thread(mortal_node.start)
        await publishers.more(500)

    assert await received_ids(broker, publishers.confirmed) >= publishers.confirmed


@pytest.mark.slow
async def test_a_broker_that_is_away_at_the_start_is_used_once_it_is_there(
    running_node: PrivateNode,
) -> None:
    node = running_node
    await asyncio.to_thread(node.wipe)  # the test before it has left it so: nobody waits for one more start
    broker, inbox = RabbitBroker(node.url, queues=hurried_queues), Inbox(acknowledge)

    async with asyncio.timeout(DEADLINE_SECONDS):
        await broker.start()
    ready_while_away, depths_while_away = broker.is_ready, await broker.depths()
    broker.hint(b"dropped")
    async with asyncio.timeout(DEADLINE_SECONDS):
        outcomes, _ = await asyncio.gather(broker.publish(messages(QUEUE, "early")), broker.subscribe(QUEUE, inbox, 10))
    await asyncio.to_thread(node.start)

    assert (ready_while_away, depths_while_away) == (False, {})
    assert isinstance(outcomes[0], PublishRefused)
    await eventually(lambda: broker.is_ready)
    assert await broker.publish(messages(QUEUE, "later")) == [None]
    await inbox.until(1)
    assert inbox.ids == ["later"]
    await broker.stop()


async def test_a_blocked_broker_refuses_in_time_still_delivers_and_recovers(
    node: PrivateNode, broker: RabbitBroker
) -> None:
    await broker.publish(messages(QUEUE, "before"))
    await asyncio.to_thread(node.control, "set_vm_memory_high_watermark", "0.0000001")
    inbox = Inbox(acknowledge)

    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            outcomes = await broker.publish(messages(QUEUE, "during"))
        await broker.subscribe(QUEUE, inbox, 10)
        await inbox.until(1)
        ready_while_blocked = broker.is_ready
    finally:
        await asyncio.to_thread(node.control, "set_vm_memory_high_watermark", "absolute", "1000MiB")

    assert isinstance(outcomes[0], PublishRefused)
    assert not ready_while_blocked
    await eventually(lambda: broker.is_ready)
    assert await broker.publish(messages(QUEUE, "after")) == [None]
    await eventually(lambda: "after" in inbox.ids)
    assert inbox.ids[0] == "before"


async def test_queues_deleted_in_mid_flight_are_declared_again_and_one_loss_is_announced(
    node: PrivateNode, broker: RabbitBroker, losses: Losses
) -> None:
    publishers, inbox, results = Publishers(broker), Inbox(acknowledge), Inbox(acknowledge)
    hints: list[bytes] = []
    await broker.subscribe(QUEUE, inbox, 100)
    await broker.subscribe(topology.RESULTS, results, 100)
    await broker.listen(hints.append)

    async with publishers.running():
        await publishers.more(200)
        await asyncio.to_thread(delete_all_queues, node.url)
        await eventually(lambda: losses.count > 0)
        await publishers.more(200)
        seen = len(inbox.received)
        await inbox.until(seen + 200)

    assert await broker.publish(messages(topology.RESULTS, "result")) == [None]
    await results.until(1)
    await heard_again(broker, hints)
    assert losses.count == 1


async def heard_again(broker: RabbitBroker, hints: list[bytes]) -> None:
    """Give hints until one is heard: none is promised to arrive."""
    async with asyncio.timeout(10):
        while not hints:
            broker.hint(b"hint")
            await asyncio.sleep(0.02)


async def test_a_consumer_alone_notices_that_its_queue_is_gone(
    node: PrivateNode, broker: RabbitBroker, losses: Losses
) -> None:
    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 10)

    await asyncio.to_thread(delete_one_queue, node.url, QUEUE)

    await eventually(lambda: losses.count == 1)
    assert await broker.publish(messages(QUEUE, "after")) == [None]
    await inbox.until(1)


async def test_a_publisher_alone_notices_that_a_queue_is_gone(
    node: PrivateNode, broker: RabbitBroker, losses: Losses
) -> None:
    await asyncio.to_thread(delete_one_queue, node.url, QUEUE)

    outcomes = await broker.publish(messages(QUEUE, "into nothing"))

    assert isinstance(outcomes[0], PublishRefused)
    await eventually(lambda: losses.count == 1)
    assert await broker.publish(messages(QUEUE, "after")) == [None]


async def test_a_wiped_broker_is_noticed_on_reconnection(
    node: PrivateNode, broker: RabbitBroker, losses: Losses
) -> None:
    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 10)
    await broker.publish(messages(topology.RESULTS, "gone"))

    await asyncio.to_thread(node.wipe)
    await asyncio.to_thread(node.start)

    await eventually(lambda: losses.count == 1)
    await eventually(lambda: broker.is_ready)
    assert await broker.publish(messages(QUEUE, "after")) == [None]
    await inbox.until(1)
    assert (await broker.depths())[topology.RESULTS] == 0


async def test_a_message_rejected_twenty_times_is_alive(broker: RabbitBroker) -> None:
    inbox = Inbox(lambda message: message.reject() if len(inbox.received) <= 20 else message.acknowledge())
    await broker.subscribe(QUEUE, inbox, 10)

    await broker.publish(messages(QUEUE, "stubborn"))

    await inbox.until(21)
    assert set(inbox.ids) == {"stubborn"}


@pytest.mark.slow
async def test_a_message_whose_consumers_died_twenty_times_and_rejected_it_twenty_times_is_alive(
    node: PrivateNode, broker: RabbitBroker
) -> None:
    await broker.publish(messages(QUEUE, "survivor"))

    assert await asyncio.to_thread(die_with_a_message_in_hand, node.url) == 20
    for _ in range(20):
        await asyncio.to_thread(reject_one, node.url)

    inbox = Inbox(acknowledge)
    await broker.subscribe(QUEUE, inbox, 10)
    await inbox.until(1)
    assert inbox.ids == ["survivor"]


async def test_what_was_settled_before_a_lost_connection_means_nothing_after_it(
    node: PrivateNode, broker: RabbitBroker
) -> None:
    inbox = Inbox()
    await broker.subscribe(QUEUE, inbox, 1)
    await broker.publish(messages(QUEUE, "first", "second"))
    await inbox.until(1)

    await asyncio.to_thread(node.control, "close_all_connections", "test")
    await inbox.until(2)
    inbox.received[0].acknowledge()  # had it this delivery's tag, it would settle the second copy, and bring "second"
    await broker.publish(messages(topology.RESULTS, "marker"))

    assert [(message.message_id, message.redelivered) for message in inbox.received] == [
        ("first", False),
        ("first", True),
    ]
    inbox.received[1].acknowledge()
    await inbox.until(3)
    assert inbox.ids == ["first", "first", "second"]


async def test_what_was_acknowledged_right_before_the_stop_stays_acknowledged(
    node: PrivateNode, broker: RabbitBroker
) -> None:
    first = RabbitBroker(node.url, queues=hurried_queues)
    await first.start()
    held, inbox = Inbox(), Inbox(acknowledge)
    await first.subscribe(QUEUE, held, 10)
    await first.publish(messages(QUEUE, "a", "b"))
    await held.until(2)

    for message in held.received:
        message.acknowledge()
    await first.stop()
    await broker.publish(messages(QUEUE, "marker"))

    await broker.subscribe(QUEUE, inbox, 10)
    await inbox.until(1)
    assert inbox.ids == ["marker"]


async def test_a_queue_that_exists_with_other_arguments_is_used_as_it_is(
    node: PrivateNode, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(declare_otherwise, node.url, QUEUE)
    broker, inbox = RabbitBroker(node.url, queues=hurried_queues), Inbox(acknowledge)

    await broker.start()
    await broker.subscribe(QUEUE, inbox, 10)
    outcomes = await broker.publish(messages(QUEUE, "welcome"))

    assert outcomes == [None]
    await inbox.until(1)
    await broker.stop()
    complaints = [record.getMessage() for record in caplog.records if QUEUE in record.getMessage()]
    assert complaints == [f"{QUEUE} is used as it is: it exists with other arguments"]


async def test_a_list_longer_than_what_may_be_in_flight_is_confirmed_whole(broker: RabbitBroker) -> None:
    ids = [str(number) for number in range(2500)]

    outcomes = await broker.publish(messages(QUEUE, *ids))

    assert outcomes == [None] * 2500
    assert await received_ids(broker, set(ids)) == set(ids)


async def test_a_message_that_cannot_be_written_holds_up_no_other(broker: RabbitBroker) -> None:
    outcomes = await broker.publish(messages(QUEUE, "before", "x" * 300, "after"))

    assert [type(outcome) for outcome in outcomes] == [type(None), PublishRefused, type(None)]


def delete_one_queue(url: str, queue: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()


def declare_otherwise(url: str, queue: str) -> None:
    """Be somebody who made the queue first, as a classic one, and see that it is there."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_declare(queue, durable=True)
    connection.channel().queue_declare(queue, passive=True)
    connection.close()


def die_with_a_message_in_hand(url: str) -> int:
    """Let twenty consumers, one after the other, take a message and be killed; return how many did."""
    command = [sys.executable, "-c", DIE_WITH_A_MESSAGE_IN_HAND, url, QUEUE]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines().count(b"died")


def reject_one(url: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    method, _, _ = next(channel.consume(QUEUE, inactivity_timeout=20))
    assert method
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.cancel()
    connection.close()
