"""A queue that nobody can consume any more: it takes no other down, and is declared anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.broker import rabbit_connection, topology
from shared.broker.rabbit import RabbitBroker
from tests.contract.amqp_server import FOR_EVER, AmqpServer, amqp_server
from tests.contract.listening import Inbox, eventually

DEAD = topology.EVENTS


class Losses:
    """Count how often a loss was announced."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def losses() -> Losses:
    return Losses()


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AmqpServer]:
    monkeypatch.setattr(rabbit_connection, "LAST_BACKOFF_SECONDS", 0.0)  # so all consumers ask again at once
    async with amqp_server() as server:
        yield server


@pytest.fixture
async def broker(server: AmqpServer, losses: Losses) -> AsyncIterator[RabbitBroker]:
    broker = RabbitBroker(server.url, losses, settle_seconds=0)
    await broker.start()
    yield broker
    await broker.stop()


async def subscribe_to_all(broker: RabbitBroker) -> dict[str, Inbox]:
    inboxes = {queue: Inbox() for queue in topology.WORK_QUEUES}
    await asyncio.gather(*[broker.subscribe(queue, inbox, 10) for queue, inbox in inboxes.items()])
    return inboxes


async def test_a_queue_that_fails_three_times_in_a_row_is_declared_anew_and_all_others_are_consumed(
    server: AmqpServer, broker: RabbitBroker, losses: Losses, caplog: pytest.LogCaptureFixture
) -> None:
    server.failures[DEAD] = FOR_EVER

    inboxes = await subscribe_to_all(broker)

    for inbox in inboxes.values():
        await inbox.until(1)
    await eventually(lambda: losses.count == 1)
    assert (server.failed, server.delete_asks) == ([DEAD] * 3, [DEAD])
    warnings = [record.getMessage() for record in caplog.records if DEAD in record.getMessage()]
    assert warnings == [f"{DEAD} could not be consumed, and was deleted to be declared again"]


async def test_a_deleted_queue_is_a_loss_even_if_another_process_declares_it_first(
    server: AmqpServer, broker: RabbitBroker, losses: Losses
) -> None:
    server.declares_anew = True
    server.failures[DEAD] = FOR_EVER

    inboxes = await subscribe_to_all(broker)

    await inboxes[DEAD].until(1)
    await eventually(lambda: losses.count == 1)


async def test_a_queue_that_fails_twice_and_then_recovers_keeps_what_it_holds(
    server: AmqpServer, broker: RabbitBroker, losses: Losses
) -> None:
    server.failures[DEAD] = 2
    inboxes = await subscribe_to_all(broker)
    await inboxes[DEAD].until(1)

    server.failures[DEAD] = 2
    server.cut()
    await inboxes[DEAD].until(2)

    assert (server.failed, server.delete_asks, losses.count) == ([DEAD] * 4, [], 0)


async def test_a_queue_that_may_not_be_deleted_is_consumed_once_it_recovers(
    server: AmqpServer, broker: RabbitBroker, losses: Losses
) -> None:
    server.refuses_deletion = True
    server.failures[DEAD] = 5

    inboxes = await subscribe_to_all(broker)

    await inboxes[DEAD].until(1)
    assert (server.failed, server.delete_asks, losses.count) == ([DEAD] * 5, [DEAD], 0)
