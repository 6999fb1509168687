"""What leaves a process: results wait a moment for company, and nothing else waits."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from shared.broker import Broker, Message, PublishRefused
from shared.broker.outgoing import ENOUGH, Outgoing
from shared.broker.topology import EVENTS, RESULTS
from shared.events import decode
from tests.fakes import HoldingBroker


class Carrier(HoldingBroker):
    """A broker that carries bundles."""

    carries_bundles = True


def names(message: Message) -> list[str]:
    event = decode(message.body)
    return [member.id for member in event.members] or [event.id]


def carried(broker: HoldingBroker) -> list[list[str]]:
    return [names(one) for one in broker.published]


def message(queue: str, name: str, delay_seconds: int = 0) -> Message:
    body = f'{{"specversion":"1.0","id":"{name}","source":"/t","type":"carillon.delivery.succeeded"}}'
    return Message(queue=queue, id=name, body=body.encode(), delay_seconds=delay_seconds)


async def turns() -> None:
    """Let everything run that waits for nothing."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_results_of_several_sets_travel_together_and_each_set_hears_what_became_of_its_own() -> None:
    broker = Carrier()
    outgoing = Outgoing(cast(Broker, broker))

    first = asyncio.create_task(outgoing.publish([message(RESULTS, "a"), message(RESULTS, "b")]))
    await turns()
    second = asyncio.create_task(outgoing.publish([message(RESULTS, "c")]))

    assert await first + await second == [None] * 3
    assert carried(broker) == [["a", "b", "c"]]


async def test_what_is_refused_is_refused_to_all_who_travelled_in_it() -> None:
    broker = Carrier()
    broker.refuses = True
    outgoing = Outgoing(cast(Broker, broker))

    first, second = await asyncio.gather(
        outgoing.publish([message(RESULTS, "a")]), outgoing.publish([message(RESULTS, "b")])
    )

    assert [type(said) for said in (*first, *second)] == [PublishRefused] * 2


@pytest.mark.parametrize(
    "messages",
    [
        [message(EVENTS, "a")],
        [message(EVENTS, "a"), message(RESULTS, "b")],
        [message(RESULTS, "a", delay_seconds=4)],
        [message(RESULTS, str(number)) for number in range(ENOUGH)],
    ],
    ids=["an event", "an event beside a result", "a result that is due later", "many results"],
)
async def test_nothing_else_waits(messages: list[Message]) -> None:
    broker = Carrier()
    waiting = asyncio.create_task(Outgoing(cast(Broker, broker)).publish(messages))

    await turns()

    assert waiting.done()
    assert [name for names in carried(broker) for name in names] == [one.id for one in messages]


async def test_a_broker_that_carries_no_bundles_gets_results_at_once() -> None:
    broker = HoldingBroker()
    waiting = asyncio.create_task(Outgoing(cast(Broker, broker)).publish([message(RESULTS, "a")]))

    await turns()

    assert waiting.done()


async def test_a_set_that_is_given_up_takes_its_results_along() -> None:
    broker = Carrier()
    outgoing = Outgoing(cast(Broker, broker))
    given_up = asyncio.create_task(outgoing.publish([message(RESULTS, "a")]))
    await turns()

    given_up.cancel()
    await outgoing.publish([message(RESULTS, "b")])

    assert carried(broker) == [["b"]]
