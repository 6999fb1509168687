"""A queue that is full refuses what it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.broker import topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.clean_slate import delete_all_queues, hurried_queues
from tests.contract.listening import Inbox, acknowledge, messages

QUEUE = topology.EVENTS
ROOM = 3
MANY = 40


def short_queues() -> list[topology.Queue]:
    """The table, but the queue of the events has room for a few messages only."""
    return [
        replace(queue, arguments=queue.arguments | {"x-max-length": ROOM}) if queue.name == QUEUE else queue
        for queue in hurried_queues()
    ]


@pytest.fixture
async def broker(rabbit_url: str) -> AsyncIterator[RabbitBroker]:
    """A started broker that holds nothing; its short queue goes with it."""
    delete_all_queues(rabbit_url)
    broker = RabbitBroker(rabbit_url, queues=short_queues)
    await broker.start()
    yield broker
    await broker.stop()
    delete_all_queues(rabbit_url)


@pytest.mark.rabbit
async def test_what_a_full_queue_refuses_is_not_taken_for_published(broker: RabbitBroker) -> None:
    confirmed, inbox = [], Inbox(acknowledge)

    for number in range(MANY):
        (refusal,) = await broker.publish(messages(QUEUE, str(number)))
        if refusal is None:
            confirmed.append(str(number))

    assert ROOM <= len(confirmed) < MANY
    await broker.subscribe(QUEUE, inbox, MANY)
    await inbox.until(len(confirmed))
    assert inbox.ids == confirmed
