"""The functions behind a Knative Broker: they publish to its ingress, and its dispatchers bring events in binary mode.

How those behave is measured on the real ones: the extension `traceparent` does not arrive, and what a subscriber did
not take goes to the dead-letter sink with two more attributes.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from infrastructure.local.functions import open_broker
from infrastructure.local.serve import serve as serve_alone
from shared import outbox, serve
from shared.broker import PublishRefused
from shared.broker.sink import SinkBroker
from shared.errors import SettingMissing
from shared.events import Event, EventType, Reference, encode
from shared.ids import fan_out_id
from shared.inbox.hints import write_hint
from shared.outbox import About
from shared.runtime import Resources
from shared.saga import CommandOwed
from shared.serve import App
from shared.settings import Settings
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.fan_outs import NewFanOut
from tests.asgi import Answer, call, resources
from tests.contract.ingress import Ingress, running_ingress
from tests.contract.listening import eventually
from tests.contract.stage import Stage, outcome
from tests.traces import SAMPLED, Notes
from tests.world import TENANT, USER, World

TARGETS = {
    "events.main": "orchestrate",
    "saga.events": "orchestrate",
    "saga.compensations": "compensate",
    "saga.commands.websocket": "push-ws",
}
BACK = {"knativeerrordest": "http://deliver-email.carillon.svc.cluster.local", "knativeerrorcode": "-1"}


@pytest.fixture
async def ingress() -> AsyncIterator[Ingress]:
    async with running_ingress() as running:
        yield running


@pytest.fixture
async def opened(ingress: Ingress, database_url: str) -> AsyncIterator[Resources]:
    """What a function stands on where K_SINK is set."""
    settings = Settings(api_keys=None, host="127.0.0.1", k_sink=ingress.url)
    held = await Resources.open(settings, open_broker(settings), database_url=database_url)
    yield held
    await held.close()


@pytest.fixture
async def sweep(world: World) -> AsyncIterator[App]:
    app = serve.build("sweep", world.resources)
    yield app
    await app.drain()


async def dispatch(app: App, body: bytes, **more: str) -> Answer:
    """Bring an event as a dispatcher does."""
    event = json.loads(body)
    attributes = {name: str(value) for name, value in event.items() if name not in ("data", "datacontenttype")}
    attributes.pop("traceparent", None)
    attributes |= {"time": "0001-01-01T00:00:00Z", **more}
    headers = {"content-type": "application/json"} | {f"ce-{name}": value for name, value in attributes.items()}
    return await call(app, "POST", "/", json.dumps(event["data"]).encode(), headers)


def delivery_requested(key: UUID) -> bytes:
    item = CommandOwed(channel=Channel.EMAIL, attempt=1, epoch=0)
    return outbox.write("orchestrate", About(key, TENANT, 0), item).body


def test_with_a_sink_messages_go_there_and_sources_are_told_that_they_cannot_consume() -> None:
    settings = Settings(k_sink="http://broker")

    assert isinstance(open_broker(settings), SinkBroker)
    with pytest.raises(SettingMissing, match="AMQP_URL"):
        open_broker(settings, is_shared=True)


@pytest.mark.parametrize(("said", "missing"), [({}, "AMQP_URL"), ({"k_sink": "http://broker"}, "DATABASE_URL")])
async def test_a_function_of_its_own_needs_a_broker_or_a_sink(said: dict[str, Any], missing: str) -> None:
    with pytest.raises(SettingMissing, match=f"^{missing}"):
        await serve_alone("sweep", Settings(host="127.0.0.1", port=0, **said))


async def test_one_trace_goes_through_all_hops_and_every_answer_is_a_success(
    opened: Resources, ingress: Ingress
) -> None:
    await World(opened.store).settle_in()
    notes = opened.tracing = Notes()
    apps = {name: serve.build(name, opened) for name in ("ingest", *TARGETS.values())}
    event = {"event_type": "greeting", "user_id": USER, "data": {"message": "hi", "preferred_channel": "websocket"}}
    traced = {"content-type": "application/json", "traceparent": SAMPLED}

    posted = await call(apps["ingest"], "POST", "/events", json.dumps(event).encode(), traced)
    answers = []
    for place, queue in enumerate(("events.main", "saga.commands.websocket", "saga.events")):
        await eventually(partial(ingress.has_taken, place + 1))
        assert ingress.events[place]["carillonqueue"] == queue
        answers.append(await dispatch(apps[TARGETS[queue]], ingress.bodies[place]))
    for app in apps.values():
        await app.drain()

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"")] * 3  # an event in it would be published
    assert await opened.store.views.status(TENANT, UUID(posted.document["id"])) == NotificationStatus.SENT
    assert {(span.name, span.parent) for span in notes.spans[1:]} >= {
        (name, notes.spans[0].traceparent) for name in ("orchestrate", "push-ws")
    }
    assert notes.spans[0].parent == SAMPLED


async def test_what_is_delayed_is_not_sent_and_its_row_is_looked_at_in_time(
    opened: Resources, ingress: Ingress
) -> None:
    world = await World(opened.store).settle_in()
    key = await world.post()
    item = CommandOwed(channel=Channel.EMAIL, attempt=1, epoch=0)

    outcomes = await opened.broker.publish([outbox.write("deliver-email", About(key, TENANT, 0), item, 4, 5.5)])

    assert (outcomes, ingress.events) == ([None], [])
    assert await world.next_look_in(key) == pytest.approx(5.5, abs=0.5)


async def test_what_is_tried_again_is_looked_at_when_it_is_due_and_not_a_grace_later(opened: Resources) -> None:
    stage = await Stage(opened.store, World(opened.store).turn_clock).settle_in()
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))

    await stage.fold_attempt(command, claim.token)

    saga = await stage.saga(command.notification_id)
    assert saga.next_look_at == saga.deliveries[0].due_at


async def test_hints_go_by_way_of_the_database(opened: Resources, store: Store) -> None:
    heard: list[bytes] = []
    await opened.broker.listen(heard.append)

    store.hints.send(write_hint("acme", "1"))
    opened.broker.hint(write_hint("acme", "2"))

    await eventually(lambda: len(heard) == 2)
    assert sorted(heard) == [write_hint("acme", "1"), write_hint("acme", "2")]


async def test_without_the_ingress_a_function_is_degraded_and_ready(opened: Resources, ingress: Ingress) -> None:
    ingress.status = 500
    (refused,) = await opened.broker.publish([outbox.receipt("realtime", About(uuid4(), TENANT, 0))])
    app = serve.build("orchestrate", opened)

    answer = await call(app, "GET", "/health/ready")

    assert isinstance(refused, PublishRefused)
    assert (answer.status, answer.document) == (200, {"status": "degraded", "database": True, "broker": False})


@pytest.mark.parametrize("kind", [kind for kind in EventType if kind not in (EventType.TICK, EventType.BUNDLE)])
async def test_whatever_comes_back_is_taken_and_its_row_is_looked_at_soon(
    world: World, sweep: App, kind: EventType, caplog: pytest.LogCaptureFixture
) -> None:
    key, other = await world.post("order-1"), await world.post("order-2")
    about = Reference(notification_id=key, channel=Channel.EMAIL, token=uuid4())
    event = Event(id=f"{key}/x", source="/carillon/x", type=kind, tenant=TENANT, data=about)

    with caplog.at_level(logging.WARNING):
        answer = await dispatch(sweep, encode(event), **BACK)

    assert answer.status in (200, 204)
    assert 9 < (await world.next_look_in(key) or 0) <= 15
    assert (await world.next_look_in(other) or 0) > 28
    (line,) = [record for record in caplog.records if "came back" in record.getMessage()]
    assert (vars(line)["count"], vars(line)["event_id"]) == (1, f"{key}/x")
    assert len(world.broker.published) == 2  # nothing but what the intake announced


async def test_what_comes_back_is_published_again_from_its_row_when_it_is_looked_at(world: World, sweep: App) -> None:
    key = await world.post_routed()
    world.lose_messages()

    await dispatch(sweep, delivery_requested(key), **BACK)
    await world.turn_clock(15.5)
    await world.sweep()

    await world.deliver_everything()
    assert await world.status_of(key) is NotificationStatus.SENT


async def test_what_has_ended_is_not_stirred_by_what_comes_back(world: World, sweep: App) -> None:
    key = await world.post()
    await world.deliver_everything()

    answer = await dispatch(sweep, delivery_requested(key), **BACK)

    assert answer.status in (200, 204)
    assert (await world.status_of(key), await world.next_look_in(key)) == (NotificationStatus.SENT, None)


async def test_an_event_for_many_users_that_comes_back_is_gone_on_with(world: World, sweep: App) -> None:
    key = fan_out_id(TENANT, "shop", "sale")
    sale = NewFanOut(id=key, tenant=TENANT, event_type="sale", body_hash=b"", event="", user_ids=("1",))
    await world.store.fan_outs.keep(sale)

    await dispatch(sweep, outbox.fan_out("ingest", About(key, TENANT), 0).body, **BACK)
    await world.turn_clock(10.5)
    await world.sweep()

    assert [message.id for message in world.broker.published] == [f"{key}/fan-out/0"]


async def test_garbage_that_comes_back_is_kept_with_its_bytes(world: World, sweep: App) -> None:
    headers = {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x"}
    foreign = {"ce-type": "com.example", "ce-knativeerrorcode": "500"}

    answer = await call(sweep, "POST", "/", b'{"a": 1}', {**headers, **foreign})

    assert answer.status in (200, 204)
    (letter,) = await world.dead_letters()
    assert (letter["kind"], base64.b64decode(letter["body_base64"])) == ("garbage", b'{"a": 1}')


async def test_a_tick_among_what_comes_back_sweeps_all_the_same(world: World) -> None:
    due, back = await world.post("order-1"), await world.post("order-2")
    await world.turn_clock(31)
    world.lose_messages()
    tick = Event(id="1", source="/ping", type=EventType.TICK)
    came = Event(
        id="2", source="/x", type=EventType.NOTIFICATION_ACCEPTED, tenant=TENANT, data=Reference(notification_id=back)
    )

    answers = await world.sweeper.take([came, tick])

    assert answers == [204, 204]
    assert sorted(message.id for message in world.broker.published[2:]) == sorted(
        world.accepted(key).id for key in (due, back)
    )


async def test_without_its_database_the_sweep_asks_for_patience(away: Store) -> None:
    app = serve.build("sweep", resources(away))

    answer = await dispatch(app, delivery_requested(uuid4()), **BACK)

    assert answer.status == 503
