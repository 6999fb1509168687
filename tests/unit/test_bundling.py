"""Several events in one message: what travels together, and what comes of it at both ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import cast
from uuid import UUID, uuid4

import pytest

from shared import outbox
from shared.broker import Broker, Message, PublishRefused
from shared.broker.bundling import MOST_MEMBERS, publish
from shared.broker.topology import COMPENSATIONS, EVENTS, PARKING_LOT, RESULTS
from shared.events import Event, EventType, Garbled, MixedBundle, decode, from_attributes, unpack, write_bundle
from shared.saga import EventOwed
from shared.step.answers import DONE, LATER
from shared.step.handed import Handed
from tests.fakes import HoldingBroker


class Carrier(HoldingBroker):
    """A broker that carries bundles and refuses what is told."""

    carries_bundles = True

    def __init__(self, *refused: int) -> None:
        super().__init__()
        self.refused = refused

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Keep what is not to be refused, by place."""
        await super().publish(messages)
        return [PublishRefused("told to") if place in self.refused else None for place in range(len(messages))]


def accepted(key: UUID | None = None, tenant: str = "acme") -> Message:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    return outbox.write("ingest", outbox.About(key or uuid4(), tenant, traceparent=trace), EventOwed())


def message(queue: str, name: str, delay_seconds: int = 0) -> Message:
    body = f'{{"specversion":"1.0","id":"{name}","source":"/t","type":"carillon.notification.accepted"}}'
    return Message(queue=queue, id=name, body=body.encode(), delay_seconds=delay_seconds)


def carried(broker: HoldingBroker) -> list[list[str]]:
    """List the ids of the events in each message."""
    found = [decode(one.body) for one in broker.published]
    return [[member.id for member in event.members] or [event.id] for event in found]


async def published(broker: HoldingBroker, *messages: Message) -> list[PublishRefused | None]:
    return await publish(cast(Broker, broker), messages)


async def test_what_goes_to_one_queue_now_travels_together_in_its_order() -> None:
    broker = Carrier()

    outcomes = await published(
        broker, message(EVENTS, "a"), message(RESULTS, "b"), message(EVENTS, "c"), message(RESULTS, "d")
    )

    assert outcomes == [None] * 4
    assert carried(broker) == [["a", "c"], ["b", "d"]]
    assert [one.queue for one in broker.published] == [EVENTS, RESULTS]


async def test_what_waits_travels_alone_and_so_does_what_people_read() -> None:
    broker = Carrier()
    alone = [message(EVENTS, "a", 4), message(EVENTS, "b", 4), message(PARKING_LOT, "c"), message(PARKING_LOT, "d")]

    await published(broker, *alone)

    assert broker.published == alone


async def test_a_single_event_is_its_own_message() -> None:
    broker = Carrier()
    alone = [message(EVENTS, "a"), message(COMPENSATIONS, "b")]

    await published(broker, *alone)

    assert broker.published == alone


async def test_a_broker_that_routes_by_what_an_event_says_gets_each_alone() -> None:
    broker = HoldingBroker()
    alone = [message(EVENTS, "a"), message(EVENTS, "b")]

    await published(broker, *alone)

    assert broker.published == alone


async def test_a_bundle_has_a_bound() -> None:
    broker = Carrier()

    await published(broker, *[message(EVENTS, str(number)) for number in range(2 * MOST_MEMBERS + 1)])

    assert [len(members) for members in carried(broker)] == [MOST_MEMBERS, MOST_MEMBERS, 1]


async def test_what_becomes_of_a_bundle_becomes_of_its_members_and_of_nobody_else() -> None:
    broker = Carrier(0)

    outcomes = await published(broker, message(EVENTS, "a"), message(RESULTS, "b"), message(EVENTS, "c"))

    assert [outcome is None for outcome in outcomes] == [False, True, False]


async def test_the_same_members_make_the_same_message_and_others_another() -> None:
    broker = Carrier()
    first, second, third = message(EVENTS, "a"), message(EVENTS, "b"), message(EVENTS, "c")

    for together in ([first, second], [first, second], [second, first], [first, third]):
        await published(broker, *together)

    one, copy, *others = broker.published
    assert one == copy
    assert len({found.id for found in (one, *others)}) == 3


async def test_an_id_of_any_length_fits() -> None:
    broker = Carrier()

    await published(broker, message(EVENTS, "x" * 256), message(EVENTS, "b"))

    assert len(broker.published[0].id) < 255


async def test_members_are_whole_each_with_its_tenant_and_its_trace() -> None:
    broker = Carrier()
    messages = [accepted(tenant="acme"), accepted(tenant="other")]

    await published(broker, *messages)

    bundle = decode(broker.published[0].body)
    assert bundle.type is EventType.BUNDLE
    assert list(bundle.members) == [decode(one.body) for one in messages]
    assert [member.tenant for member in bundle.members] == ["acme", "other"]
    assert all(member.traceparent for member in bundle.members)


async def test_in_binary_mode_it_says_the_same() -> None:
    document = json.loads(write_bundle("b", [accepted().body, accepted().body]))
    data = document.pop("data")

    assert from_attributes(document, data).members == decode(json.dumps({**document, "data": data}).encode()).members


def test_a_member_that_is_no_event_makes_the_others_no_worse() -> None:
    good = accepted()
    document = json.loads(write_bundle("b", [good.body, b'{"no":"event"}']))

    mixed = unpack(document)

    assert mixed is not None
    event, garbled = mixed.members
    assert event == decode(good.body)
    assert isinstance(garbled, Garbled)
    assert json.loads(garbled.body) == {"no": "event"}


@pytest.mark.parametrize(
    "document",
    [
        [],
        "carillon.bundle",
        {"type": "carillon.notification.accepted", "data": {"members": [{}]}},
        {"type": "carillon.bundle"},
        {"type": "carillon.bundle", "data": []},
        {"type": "carillon.bundle", "data": {"members": {}}},
        {"type": "carillon.bundle", "data": {"members": []}},
    ],
)
def test_what_is_no_bundle_is_none(document: object) -> None:
    assert unpack(document) is None


class Told(list[tuple[int, int]]):
    """What was told, in order."""


def handed(*parcels: Event | Garbled | MixedBundle) -> tuple[Handed, Told]:
    told = Told()
    return Handed(parcels, told.extend), told


def bundle(count: int) -> Event:
    return decode(write_bundle("b", [accepted().body for _ in range(count)]))


def test_a_bundle_is_answered_when_its_last_member_is() -> None:
    taken, told = handed(decode(accepted().body), bundle(2), decode(accepted().body))

    taken.answer([(2, DONE), (3, DONE)])
    before = list(told)
    taken.answer([(1, DONE), (0, DONE)])

    assert (before, told) == ([(2, DONE)], [(2, DONE), (1, DONE), (0, DONE)])
    assert taken.end() == [DONE, DONE, DONE]


def test_a_bundle_comes_again_when_one_of_its_members_must() -> None:
    taken, told = handed(bundle(3))

    taken.answer([(0, DONE), (1, LATER), (2, DONE)])

    assert told == [(0, LATER)]
    assert taken.end() == [LATER]


def test_the_first_answer_to_a_member_counts() -> None:
    taken, told = handed(bundle(2))

    taken.answer([(0, DONE), (0, LATER)])
    taken.answer([(0, LATER), (1, DONE)])

    assert told == [(0, DONE)]


def test_a_bundle_of_which_a_member_was_not_answered_comes_again() -> None:
    taken, told = handed(bundle(2), bundle(2))

    taken.answer([(0, DONE), (2, DONE), (3, DONE)])

    assert taken.end() == [LATER, DONE]
    assert told == [(1, DONE), (0, LATER)]


def test_nothing_is_taken_out_of_a_bundle_in_a_bundle() -> None:
    inner = write_bundle("inner", [accepted().body])
    taken, _ = handed(decode(write_bundle("outer", [inner])))

    assert [item.type for item in taken.items if isinstance(item, Event)] == [EventType.BUNDLE]


def test_an_empty_bundle_is_an_event_that_nobody_takes() -> None:
    empty = decode(b'{"specversion":"1.0","id":"e","source":"/t","type":"carillon.bundle"}')
    taken, _ = handed(empty)

    assert taken.items == [empty]
