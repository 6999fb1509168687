"""A broker that has forgotten a consumer: nobody tells it, so it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.broker import rabbit_connection, rabbit_presence, topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.amqp_server import AmqpServer, amqp_server
from tests.contract.listening import Inbox, eventually

QUEUE = topology.EVENTS
ANOTHER = topology.RESULTS


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AmqpServer]:
    monkeypatch.setattr(rabbit_connection, "LAST_BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(rabbit_presence, "LOOK_SECONDS", 0.01)
    async with amqp_server() as server:
        yield server


@pytest.fixture
async def broker(server: AmqpServer) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(server.url)
    await broker.start()
    yield broker
    await broker.stop()


async def test_where_messages_wait_for_nobody_it_consumes_anew_and_calls_it_a_loss(
    server: AmqpServer, broker: RabbitBroker, caplog: pytest.LogCaptureFixture
) -> None:
    inbox, others = Inbox(), Inbox()
    await broker.subscribe(QUEUE, inbox, 10)
    await broker.subscribe(ANOTHER, others, 10)

    server.forgotten = {QUEUE}

    await inbox.until(2)  # the server gives one to each new consumer
    assert len(others.ids) == 1
    signs = [vars(record)["sign"] for record in caplog.records if "sign" in vars(record)]
    assert signs == ["a queue that is consumed has no consumer"]


async def test_where_nothing_is_known_of_a_queue_its_consumer_stays(server: AmqpServer, broker: RabbitBroker) -> None:
    inbox = Inbox()
    await broker.subscribe(QUEUE, inbox, 10)
    await inbox.until(1)

    server.leaderless = {QUEUE}
    looks = server.looks[QUEUE]
    await eventually(lambda: server.looks[QUEUE] > looks + 3)

    assert len(inbox.ids) == 1


async def test_a_queue_that_is_gone_without_a_word_is_declared_anew(server: AmqpServer, broker: RabbitBroker) -> None:
    inbox = Inbox()
    await broker.subscribe(QUEUE, inbox, 10)

    server.queues.remove(QUEUE)

    await inbox.until(2)
    assert QUEUE in server.queues


async def test_who_has_cancelled_looks_no_more_and_may_settle_what_is_in_hand(
    server: AmqpServer, broker: RabbitBroker
) -> None:
    inbox = Inbox()
    subscription = await broker.subscribe(QUEUE, inbox, 10)
    await inbox.until(1)
    await subscription.cancel()

    server.forgotten = {QUEUE}
    await asyncio.sleep(0.05)  # several looks

    inbox.received[0].acknowledge()
    await eventually(lambda: server.acknowledgements == 1)
