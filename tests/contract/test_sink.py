"""A sink as the broker: what the ingress of a Knative Broker gets, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from shared import outbox
from shared.broker import Broker, Message, PublishRefused, topology
from shared.broker.protocol import Hints, OnHint, Subscription
from shared.broker.sink import ConsumedElsewhere, SinkBroker
from shared.broker.sink_line import SinkLine
from shared.errors import DatabaseUnavailable
from shared.events import decode
from shared.saga import CommandOwed
from shared.statuses import Channel
from shared.waits import Wait
from tests.contract.ingress import Ingress, running_ingress
from tests.contract.listening import eventually

KEY = UUID("0197aaaa-0000-7000-8000-000000000001")
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


class Rows:
    """What stands in for queues that hold back: it notes what it is asked for, or is away."""

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.is_away = False

    async def look_by(self, waits: Sequence[Wait]) -> None:
        if self.is_away:
            raise DatabaseUnavailable("simulated")
        self.waits += waits


class NoHints:
    """Nobody is told."""

    def send(self, body: bytes) -> None:
        """Drop it."""

    async def listen(self, on_hint: OnHint) -> Subscription:
        raise NotImplementedError


HINTS: Hints = NoHints()


@pytest.fixture
async def ingress() -> AsyncIterator[Ingress]:
    async with running_ingress() as running:
        yield running


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def broker(ingress: Ingress, rows: Rows) -> AsyncIterator[SinkBroker]:
    opened = SinkBroker(SinkLine(ingress.url, {"env": "prod"}, connections=4), publish_seconds=0.5)
    opened.lean_on(HINTS, rows.look_by)
    await opened.start()
    yield opened
    await opened.stop()


def command(number: int = 1, channel: Channel = Channel.EMAIL, delay_seconds: int = 0) -> Message:
    about = outbox.About(KEY, "acme", 0, TRACE)
    item = CommandOwed(channel=channel, attempt=number, epoch=0)
    wait = Wait(KEY, delay_seconds + 0.5) if delay_seconds else None
    written = outbox.write("orchestrate", about, item)
    return Message(queue=written.queue, id=written.id, body=written.body, delay_seconds=delay_seconds, wait=wait)


async def test_each_message_is_one_event_with_its_queue_and_what_the_binding_adds(
    broker: SinkBroker, ingress: Ingress
) -> None:
    message = command()

    outcomes = await broker.publish([message])

    assert outcomes == [None]
    (event,) = ingress.events
    assert (event["carillonqueue"], event["env"]) == ("saga.commands.email", "prod")
    assert {name: value for name, value in event.items() if name not in ("carillonqueue", "env")} == json.loads(
        message.body
    )
    assert decode(ingress.bodies[0]) == decode(message.body)


async def test_the_bytes_of_a_message_leave_as_they_are(broker: SinkBroker, ingress: Ingress) -> None:
    body = b'{"specversion":"1.0" ,"id":"1","source":"/s","type":"t","data":{"b":1.50,"a":"\\u00fc"}}'

    await broker.publish([Message(queue=topology.EVENTS, id="1", body=body)])

    assert ingress.bodies == [b'{"carillonqueue": "events.main", "env": "prod",' + body[1:]]


@pytest.mark.parametrize("queue", [*topology.WORK_QUEUES, topology.PARKING_LOT])
async def test_every_queue_of_the_table_is_an_attribute(broker: SinkBroker, ingress: Ingress, queue: str) -> None:
    await broker.publish([Message(queue=queue, id="1", body=command().body)])

    assert [event["carillonqueue"] for event in ingress.events] == [queue]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_success_is_a_confirm(broker: SinkBroker, ingress: Ingress, status: int) -> None:
    ingress.status = status

    assert await broker.publish([command()]) == [None]


@pytest.mark.parametrize("status", [301, 307, 400, 404, 405, 429, 500, 503])
async def test_any_other_answer_is_a_refusal(broker: SinkBroker, ingress: Ingress, status: int) -> None:
    ingress.status = status
    ingress.headers = {"location": f"{ingress.url}/elsewhere"} if status < 400 else {}

    (outcome,) = await broker.publish([command()])

    assert isinstance(outcome, PublishRefused)
    assert str(outcome) == f"the sink answered {status}"


async def test_a_sink_at_another_path_refuses(ingress: Ingress, rows: Rows) -> None:
    broker = SinkBroker(SinkLine(f"{ingress.url}/default/broker", {}))
    await broker.start()

    (outcome,) = await broker.publish([command()])
    await broker.stop()

    assert str(outcome) == "the sink answered 404"


async def test_a_sink_that_hangs_refuses_in_time(broker: SinkBroker, ingress: Ingress) -> None:
    ingress.is_open.clear()

    outcomes = await broker.publish([command(number) for number in range(10)])

    assert [type(outcome) for outcome in outcomes] == [PublishRefused] * 10
    assert ingress.events == []


async def test_a_sink_that_is_not_there_refuses(broker: SinkBroker) -> None:
    nowhere = SinkBroker(SinkLine("http://127.0.0.1:1", {}))
    await nowhere.start()

    (outcome,) = await nowhere.publish([command()])
    await nowhere.stop()

    assert str(outcome) == "the sink did not answer: unreachable"


async def test_a_connection_that_was_closed_meanwhile_costs_nothing(broker: SinkBroker, ingress: Ingress) -> None:
    await broker.publish([command(1)])
    ingress.cuts = 1

    outcomes = await broker.publish([command(2)])

    assert outcomes == [None]


async def test_a_sink_that_cuts_every_connection_refuses(broker: SinkBroker, ingress: Ingress) -> None:
    ingress.cuts = 100

    (outcome,) = await broker.publish([command()])

    assert str(outcome) == "the sink did not answer: lost"


async def test_one_refusal_is_nobody_elses(broker: SinkBroker, ingress: Ingress) -> None:
    none_of_ours = Message(queue=topology.EVENTS, id="x", body=b'{"specversion":"1.0"}')

    outcomes = await broker.publish([command(1), none_of_ours, command(2)])

    assert [outcome and str(outcome) for outcome in outcomes] == [None, "the sink answered 400", None]


async def test_many_go_at_once_over_few_kept_connections(broker: SinkBroker, ingress: Ingress) -> None:
    ingress.is_open.clear()
    publishing = [asyncio.create_task(broker.publish([command(n + 1) for n in range(20)])) for _ in range(3)]
    await eventually(lambda: ingress.under_way == 4)

    ingress.is_open.set()

    assert [await task for task in publishing] == [[None] * 20] * 3
    assert (len(ingress.events), len(ingress.connections), ingress.most_at_once) == (60, 4, 4)


async def test_what_is_delayed_is_left_to_its_row(broker: SinkBroker, ingress: Ingress, rows: Rows) -> None:
    outcomes = await broker.publish([command(1, delay_seconds=4), command(2)])

    assert outcomes == [None, None]
    assert len(ingress.events) == 1
    assert rows.waits == [Wait(KEY, 4.5)]


async def test_what_no_row_would_bring_in_time_is_refused(broker: SinkBroker, ingress: Ingress, rows: Rows) -> None:
    rows.is_away = True
    lost = Message(queue=topology.EVENTS, id="1", body=command().body, delay_seconds=4)

    outcomes = await broker.publish([command(1, delay_seconds=4), lost, command(2)])

    assert [outcome and str(outcome) for outcome in outcomes] == [
        "nobody knows whether it is looked at in time",
        "no row would bring it when it is due",
        None,
    ]


async def test_a_sink_that_took_nothing_is_in_doubt_until_it_takes_something(
    broker: SinkBroker, ingress: Ingress
) -> None:
    ingress.status = 500
    await broker.publish([command()])
    in_doubt = broker.is_ready
    ingress.status = 202

    await broker.publish([command()])

    assert (in_doubt, broker.is_ready) == (False, True)


async def test_nothing_can_be_consumed_from_a_sink(broker: SinkBroker) -> None:
    with pytest.raises(ConsumedElsewhere, match="K_SINK only takes messages"):
        await broker.subscribe(topology.EVENTS, lambda messages: None, 10)


async def test_a_sink_without_a_database_tells_nobody(ingress: Ingress) -> None:
    broker: Broker = SinkBroker(SinkLine(ingress.url, {}))

    broker.hint(b"dropped")

    with pytest.raises(ConsumedElsewhere):
        await broker.listen(lambda body: None)
    assert (await broker.depths(), broker.holds_back) == ({}, False)


async def test_stopping_waits_for_what_is_on_its_way(broker: SinkBroker, ingress: Ingress) -> None:
    ingress.is_open.clear()
    under_way = asyncio.create_task(broker.publish([command()]))
    await eventually(lambda: ingress.under_way == 1)
    stopping = asyncio.create_task(broker.stop())
    await asyncio.sleep(0)
    refused = await broker.publish([command(2)])

    ingress.is_open.set()
    await stopping

    assert await under_way == [None]
    assert [str(outcome) for outcome in refused] == ["this process publishes no more"]
