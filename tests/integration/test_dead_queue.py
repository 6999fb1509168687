"""A quorum queue of a real RabbitMQ that has lost its leader for good."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from infrastructure.local.rabbitmq import PrivateNode
from shared.broker import topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.clean_slate import hurried_queues
from tests.contract.listening import Inbox, acknowledge, eventually, messages

pytestmark = pytest.mark.rabbit

DEAD, ALIVE = topology.EVENTS, topology.RESULTS
END_ITS_ONLY_MEMBER = f"""
    {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{DEAD}">>)),
    ok = ra:force_delete_server(quorum_queues, amqqueue:get_pid(Queue)).
"""


@pytest.fixture(scope="module")
def node() -> Iterator[PrivateNode]:
    with PrivateNode() as node:
        yield node


async def test_a_queue_that_lost_its_leader_for_good_is_declared_anew_and_takes_no_other_down(
    node: PrivateNode,
) -> None:
    losses: list[None] = []

    async def note() -> None:
        losses.append(None)

    broker = RabbitBroker(node.url, note, queues=hurried_queues)
    await broker.start()
    await eventually(lambda: len(losses) == 1)  # it found nothing
    await asyncio.to_thread(node.control, "eval", END_ITS_ONLY_MEMBER)
    dead, alive = Inbox(acknowledge), Inbox(acknowledge)

    await asyncio.gather(broker.subscribe(DEAD, dead, 10), broker.subscribe(ALIVE, alive, 10))

    await eventually(lambda: len(losses) == 2)
    assert await broker.publish(messages(ALIVE, "alive")) == [None]
    await alive.until(1)
    async with asyncio.timeout(20):
        while await broker.publish(messages(DEAD, "anew")) != [None]:  # 3.10 forgets the confirms of such a queue
            pass
    await dead.until(1)
    await broker.stop()
