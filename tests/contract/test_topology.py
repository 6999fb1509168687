"""The table of the broker's names, held against the design's."""

from __future__ import annotations

import pytest

from shared.broker import topology

WORK = {
    "events.main",
    "saga.commands.email",
    "saga.commands.whatsapp",
    "saga.commands.sms",
    "saga.commands.push",
    "saga.commands.telegram",
    "saga.commands.websocket",
    "saga.events",
    "saga.compensations",
}
DELAYS = {
    "saga.commands.retry.2s": 2_000,
    "saga.commands.retry.4s": 4_000,
    "saga.commands.retry.8s": 8_000,
    "saga.commands.retry.15s": 15_000,
    "saga.commands.retry.60s": 60_000,
    "saga.commands.retry.300s": 300_000,
    "saga.commands.retry.900s": 900_000,
    "saga.commands.retry.3600s": 3_600_000,
}
WAITING = DELAYS | {"events.retry": 10_000}
QUEUES = {queue.name: queue for queue in topology.queues()}


def test_the_table_holds_the_queues_of_the_design_and_no_others() -> None:
    assert set(QUEUES) == WORK | set(WAITING) | {"events.dlq"}
    assert set(topology.WORK_QUEUES) == WORK


def test_the_table_holds_the_exchanges_of_the_design_and_no_others() -> None:
    exchanges = {exchange.name: exchange.kind for exchange in topology.exchanges()}

    assert exchanges == {"carillon": "direct", "ws.notifications": "fanout"} | dict.fromkeys(WAITING, "fanout")


@pytest.mark.parametrize("name", sorted(WORK))
def test_a_work_queue_is_fed_by_its_own_name_and_rejects_into_the_retry_loop(name: str) -> None:
    queue = QUEUES[name]

    assert (queue.exchange, queue.routing_key) == ("carillon", name)
    assert queue.arguments["x-dead-letter-exchange"] == "events.retry"


@pytest.mark.parametrize("name", sorted(WAITING))
def test_a_waiting_message_keeps_its_key_and_goes_home(name: str) -> None:
    queue = QUEUES[name]

    assert (queue.exchange, queue.arguments["x-message-ttl"]) == (name, WAITING[name])
    assert queue.arguments["x-dead-letter-exchange"] == "carillon"
    assert "x-dead-letter-routing-key" not in queue.arguments


@pytest.mark.parametrize("name", sorted(WORK | set(WAITING)))
def test_no_message_is_lost_on_its_way_between_queues(name: str) -> None:
    arguments = QUEUES[name].arguments

    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"
    assert "x-delivery-limit" not in arguments
