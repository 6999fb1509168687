"""The steps as Knative meets them, and what every function tells about itself: over HTTP, without a server."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from shared import serve
from shared.broker.topology import commands
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE, write_bundle
from shared.serve import App
from shared.statuses import Channel
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.world import World

SECRET = "do-not-repeat-this"


@pytest.fixture
async def orchestrate(world: World) -> AsyncIterator[App]:
    app = serve.build("orchestrate", world.resources)
    yield app
    await app.drain()


def binary(event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    attributes = {f"ce-{name}": str(value) for name, value in event.items() if name not in ("data", "datacontenttype")}
    return json.dumps(event["data"]).encode(), {"content-type": "application/json", **attributes}


async def test_an_event_in_structured_mode_is_taken(world: World, orchestrate: App) -> None:
    notification = await world.post()

    answer = await call(orchestrate, "POST", "/", world.accepted(notification).body, {"content-type": CONTENT_TYPE})

    assert answer.status in (200, 204)
    assert await world.status_of(notification) == "queued"


async def test_an_event_in_binary_mode_is_taken(world: World, orchestrate: App) -> None:
    notification = await world.post()
    body, headers = binary(json.loads(world.accepted(notification).body))

    answer = await call(orchestrate, "POST", "/", body, headers)

    assert answer.status in (200, 204)
    assert await world.status_of(notification) == "queued"


def statuses(answer: Answer) -> list[int]:
    """Read the answers to a batch, in the order of its events."""
    count, *lines = answer.body.splitlines()
    pairs = dict(pair for line in lines for pair in json.loads(line))
    return [pairs[place] for place in range(int(count))]


async def test_each_event_of_a_batch_has_its_own_answer(world: World, orchestrate: App) -> None:
    good, poison = await world.post("order-1"), await world.post("order-2")
    await world.store.database.run(
        """UPDATE notifications SET plan = '{"steps": ["pigeon"]}' WHERE id = %s""", (poison,)
    )
    parts = [world.accepted(good).body, world.accepted(poison).body, b'{"no": "event"}']

    answer = await call(orchestrate, "POST", "/", b"[" + b",".join(parts) + b"]", {"content-type": BATCH_CONTENT_TYPE})

    assert (answer.status, statuses(answer)) == (200, [204, 503, 204])
    assert await world.status_of(good) == "queued"
    assert [letter["kind"] for letter in await world.dead_letters()] == ["garbage"]


def bundle(*members: bytes) -> bytes:
    return write_bundle("several", members)


async def test_a_bundle_is_answered_as_one_and_each_of_its_members_is_done(world: World, orchestrate: App) -> None:
    keys = [await world.post(f"order-{number}") for number in range(3)]
    body, headers = binary(json.loads(bundle(*[world.accepted(key).body for key in keys])))

    answer = await call(orchestrate, "POST", "/", body, headers)

    assert answer.status in (200, 204)
    assert [await world.status_of(key) for key in keys] == ["queued"] * 3
    assert await world.dead_letters() == []


async def test_a_bundle_comes_again_for_one_member_and_the_others_are_done_once(world: World, orchestrate: App) -> None:
    good, poison = await world.post("order-1"), await world.post("order-2")
    await world.store.database.run(
        """UPDATE notifications SET plan = '{"steps": ["pigeon"]}' WHERE id = %s""", (poison,)
    )
    body = bundle(world.accepted(good).body, world.accepted(poison).body)

    answers = [await call(orchestrate, "POST", "/", body, STRUCTURED) for _ in range(3)]

    assert [answer.status for answer in answers] == [503, 503, 503]
    assert await world.status_of(good) == "queued"
    assert len({message.id for message in world.broker.published if message.queue == commands(Channel.EMAIL)}) == 1


@pytest.mark.parametrize("is_batch", [True, False])
async def test_a_member_that_is_no_event_is_kept_and_the_others_are_done(
    world: World, orchestrate: App, *, is_batch: bool
) -> None:
    first, last = await world.post("order-1"), await world.post("order-2")
    body = bundle(world.accepted(first).body, b'{"no":"event"}', world.accepted(last).body)

    answer = await call(
        orchestrate, "POST", "/", b"[%b]" % body if is_batch else body, BATCHED if is_batch else STRUCTURED
    )

    assert statuses(answer) == [204] if is_batch else answer.status in (200, 204)
    assert [await world.status_of(key) for key in (first, last)] == ["queued"] * 2
    (letter,) = await world.dead_letters()
    assert json.loads(base64.b64decode(letter["body_base64"])) == {"no": "event"}


async def test_bundles_of_a_batch_have_an_answer_each(world: World, orchestrate: App) -> None:
    keys = [await world.post(f"order-{number}") for number in range(4)]
    parts = [bundle(*[world.accepted(key).body for key in pair]) for pair in (keys[:2], keys[2:])]

    answer = await call(orchestrate, "POST", "/", b"[%b]" % b",".join(parts), BATCHED)

    assert statuses(answer) == [204, 204]
    assert [await world.status_of(key) for key in keys] == ["queued"] * 4


DEEP = b"[" * 200_000
STRUCTURED, BATCHED = {"content-type": CONTENT_TYPE}, {"content-type": BATCH_CONTENT_TYPE}
GARBAGE: dict[str, tuple[bytes, dict[str, str]]] = {
    "nothing": (b"", {}),
    "no CloudEvent": (b"hello", {"content-type": "text/plain"}),
    "no JSON": (b"{", STRUCTURED),
    "no UTF-8": (b"\xff\xfe\x00", STRUCTURED),
    "deep": (DEEP, STRUCTURED),
    "an array": (b"[]", STRUCTURED),
    "a foreign type": (b'{"specversion":"1.0","id":"1","source":"/x","type":"com.example","data":{}}', STRUCTURED),
    "no attributes": (b'{"data":{}}', STRUCTURED),
    "a bundle of nothing": (
        b'{"specversion":"1.0","id":"1","source":"/x","type":"carillon.bundle","data":{"members":[]}}',
        STRUCTURED,
    ),
    "a batch that is none": (b"{", BATCHED),
    "a batch of no UTF-8": (b"\xff\xfe\x00", BATCHED),
    "a deep batch": (DEEP, BATCHED),
    "a batch of numbers": (b"[1]", BATCHED),
    "binary without attributes": (b"{}", {"content-type": "application/json", "ce-id": "1"}),
    "binary with a body that is no JSON": (
        b"\xff\x00",
        {"content-type": "application/json", "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x",
         "ce-type": "carillon.notification.accepted"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", GARBAGE)
async def test_garbage_is_acknowledged_and_kept_with_its_bytes(world: World, orchestrate: App, kind: str) -> None:
    body, headers = GARBAGE[kind]

    answer = await call(orchestrate, "POST", "/", body, {"authorization": f"Bearer {SECRET}", **headers})

    assert answer.status in (200, 204)
    assert answer.body in (b"", b"1\n[[0, 204]]\n")
    assert SECRET not in str(answer.headers)
    (letter,) = await world.dead_letters()
    assert letter["kind"] == "garbage"
    expected = b"1" if kind == "a batch of numbers" else body
    assert base64.b64decode(letter["body_base64"]) == expected


async def test_two_megabytes_are_acknowledged_and_kept_up_to_a_bound(world: World, orchestrate: App) -> None:
    answer = await call(orchestrate, "POST", "/", b"x" * 2_000_000, {"content-type": CONTENT_TYPE})

    assert answer.status == 204
    (letter,) = await world.dead_letters()
    assert len(base64.b64decode(letter["body_base64"])) == serve.LARGEST_EVENT_BYTES


async def test_an_event_for_another_step_is_kept_and_not_sent_back(world: World) -> None:
    notification = await world.post()
    app = serve.build("compensate", world.resources)

    answer = await call(app, "POST", "/", world.accepted(notification).body, {"content-type": CONTENT_TYPE})

    assert answer.status in (200, 204)
    assert [letter["kind"] for letter in await world.dead_letters()] == ["garbage"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_step_takes_nothing_but_posts(orchestrate: App, method: str) -> None:
    answer = await call(orchestrate, method, "/")

    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("headers", [STRUCTURED, BATCHED])
async def test_without_its_database_a_step_asks_for_patience(
    world: World, away: Store, headers: dict[str, str]
) -> None:
    app = serve.build("orchestrate", resources(away))
    event = world.accepted(uuid4()).body

    one = await call(app, "POST", "/", event, STRUCTURED)
    several = await call(app, "POST", "/", b"[" + event + b"]", BATCHED)
    garbage = await call(app, "POST", "/", b"{", headers)

    assert (one.status, one.headers["retry-after"]) == (503, "1")
    assert (several.status, statuses(several)) == (200, [503])
    assert garbage.status == 503


async def test_a_step_that_drains_asks_for_patience(world: World) -> None:
    app = serve.build("orchestrate", world.resources)
    notification = await world.post()
    await app.drain()

    answer = await call(app, "POST", "/", world.accepted(notification).body, {"content-type": CONTENT_TYPE})

    assert answer.status == 503
    assert await world.status_of(notification) == "pending"


async def test_a_tick_makes_the_sweep_look(world: World) -> None:
    notification = await world.post()
    await world.turn_clock(31)
    world.lose_messages()
    app = serve.build("sweep", world.resources)
    tick = {"specversion": "1.0", "id": "1", "source": "/ping", "type": "dev.knative.sources.ping", "data": {}}

    answer = await call(app, "POST", "/", json.dumps(tick).encode(), {"content-type": CONTENT_TYPE})

    assert answer.status in (200, 204)
    assert [message.id for message in world.broker.published[1:]] == [world.accepted(notification).id]


@pytest.mark.parametrize("name", ["orchestrate", "ingest"])
async def test_every_function_tells_how_it_is(world: World, name: str) -> None:
    app = serve.build(name, world.resources)

    alive = await call(app, "GET", "/health")
    ready = await call(app, "GET", "/health/ready")
    metrics = await call(app, "GET", "/metrics")

    assert (alive.status, ready.status, metrics.status) == (200, 200, 200)
    assert ready.document == {"status": "ok", "database": True, "broker": True}
    assert b"carillon_notifications_accepted_total" in metrics.body


@pytest.mark.parametrize("name", ["orchestrate", "ingest"])
async def test_without_its_database_a_function_lives_but_is_not_ready(away: Store, name: str) -> None:
    app = serve.build(name, resources(away))

    assert (await call(app, "GET", "/health")).status == 200
    assert (await call(app, "GET", "/health/ready")).status == 503


async def test_without_the_broker_a_function_is_ready_because_it_keeps_what_it_is_given(world: World) -> None:
    world.broker.is_ready = False
    app = serve.build("ingest", world.resources)

    answer = await call(app, "GET", "/health/ready")

    assert (answer.status, answer.document["status"]) == (200, "degraded")


def test_there_is_no_app_of_a_function_that_does_not_exist(world: World) -> None:
    with pytest.raises(LookupError, match="no-such-step"):
        serve.build("no-such-step", world.resources)
