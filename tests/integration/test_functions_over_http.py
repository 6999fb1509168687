"""The functions as Knative and clients meet them: over HTTP, with nothing but an ASGI app in between."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from shared import serve
from shared.broker import Broker
from shared.broker.topology import EVENTS
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE
from shared.runtime import Resources
from shared.serve import App
from shared.settings import Settings
from shared.store import Store
from tests.fakes import HoldingBroker
from tests.world import TENANT, World

SECRET = "do-not-repeat-this"
PLAIN: dict[str, Any] = {"event_type": "order_shipped", "user_id": 1, "id": "order-1", "data": {"message": "hello"}}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def document(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


async def call(app: App, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """Call an app as a server does."""
    started: dict[str, Any] = {}
    chunks: list[bytes] = []
    requests = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            chunks.append(message.get("body", b""))

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    await app(scope, receive, send)
    kept = {name.decode(): value.decode() for name, value in started["headers"]}
    return Answer(started["status"], kept, b"".join(chunks))


def resources(store: Store, **settings: Any) -> Resources:
    """Hold what an app stands on."""
    options = {"api_keys": None, "host": "127.0.0.1", **settings}
    return Resources(settings=Settings(**options), store=store, broker=cast(Broker, HoldingBroker()))


@pytest.fixture
async def orchestrate(world: World) -> AsyncIterator[App]:
    app = serve.build("orchestrate", world.resources)
    yield app
    await app.drain()


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


@pytest.fixture
async def away(database_url: str) -> Store:
    """A store that has lost its database."""
    lost = Store(database_url)
    await lost.open()
    await lost.close()
    return lost


async def post(app: App, document: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await call(app, "POST", "/events", body, {"content-type": "application/json", **named})


def binary(event: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    attributes = {f"ce-{name}": str(value) for name, value in event.items() if name not in ("data", "datacontenttype")}
    return json.dumps(event["data"]).encode(), {"content-type": "application/json", **attributes}


# What Knative sends to a step.


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


async def test_a_batch_is_answered_one_by_one_and_in_order(world: World, orchestrate: App) -> None:
    good, poison = await world.post("order-1"), await world.post("order-2")
    await world.store.database.run(
        """UPDATE notifications SET plan = '{"steps": ["pigeon"]}' WHERE id = %s""", (poison,)
    )
    parts = [world.accepted(good).body, world.accepted(poison).body, b'{"no": "event"}']

    answer = await call(
        orchestrate, "POST", "/", b"[" + b",".join(parts) + b"]", {"content-type": BATCH_CONTENT_TYPE}
    )

    assert (answer.status, answer.document) == (200, [204, 503, 204])
    assert await world.status_of(good) == "queued"
    assert [letter["kind"] for letter in await world.dead_letters()] == ["garbage"]


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
    assert answer.body in (b"", b"[204]")
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
    assert (several.status, several.document) == (200, [503])
    assert garbage.status == 503 or garbage.document == [503]


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


# What watches every function.


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


# What clients post.


async def test_a_posted_event_is_kept_announced_and_can_be_looked_up(world: World, ingest: App) -> None:
    answer = await post(ingest, PLAIN)
    await ingest.drain()

    assert (answer.status, answer.document["status"]) == (202, "pending")
    key = UUID(answer.document["id"])
    assert [(m.queue, m.id) for m in world.broker.published] == [(EVENTS, world.accepted(key).id)]
    seen = await call(ingest, "GET", f"/api/v1/notifications/{key}")
    assert (seen.status, seen.document["status"], seen.document["user_id"]) == (200, "pending", "1")


async def test_a_repeated_post_is_the_same_notification(world: World, ingest: App) -> None:
    first, again, stamped = [
        await post(ingest, document) for document in (PLAIN, PLAIN, {**PLAIN, "timestamp": "2026-11-20T10:00:00Z"})
    ]

    assert [first.status, again.status, stamped.status] == [202, 202, 202]
    assert first.document["id"] == again.document["id"] == stamped.document["id"]
    assert await world.store.views.counts(TENANT) == {"pending": 1}


async def test_without_a_key_every_post_is_new(world: World, ingest: App) -> None:
    document = {name: value for name, value in PLAIN.items() if name != "id"}

    first, second = await post(ingest, document), await post(ingest, document)

    assert first.document["id"] != second.document["id"]


async def test_a_key_used_before_with_another_body_is_refused(world: World, ingest: App) -> None:
    await post(ingest, PLAIN)

    answer = await post(ingest, {**PLAIN, "data": {"message": SECRET}})

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert SECRET not in answer.body.decode()
    assert await world.store.views.counts(TENANT) == {"pending": 1}


async def test_a_batch_of_cloudevents_is_answered_one_by_one(world: World, ingest: App) -> None:
    event = {"specversion": "1.0", "source": "/shop", "type": "order_shipped", "subject": "1"}
    good, bad = {**event, "id": "1", "data": {"message": "hello"}}, {**event, "id": "2", "data": {}}

    answer = await post(ingest, [good, bad, good], content_type=BATCH_CONTENT_TYPE)

    assert answer.status == 202
    first, second, third = answer.document["results"]
    assert first["id"] == third["id"]
    assert second["problem"]["status"] == 422
    assert await world.store.views.counts(TENANT) == {"pending": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (json.dumps({**PLAIN, "data": {"message": "\x00"}}).encode(), None),
        (json.dumps({**PLAIN, "data": {}}).encode(), 422),
        (b"x" * 2_000_000, 413),
    ],
)
async def test_what_cannot_be_accepted_is_refused_with_a_problem_that_repeats_nothing(
    ingest: App, body: bytes, status: int | None
) -> None:
    answer = await post(ingest, body, x_api_key=SECRET)

    assert answer.status == status if status else 400 <= answer.status < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.body.decode() + str(answer.headers)


async def test_an_unknown_content_type_is_refused(ingest: App) -> None:
    assert (await post(ingest, b"hello", content_type="text/plain")).status == 415


async def test_with_a_full_backlog_the_intake_asks_for_patience(store: Store) -> None:
    held = resources(store, intake_backlog_max=2)
    await post(serve.build("ingest", held), {**PLAIN, "id": "a"})
    await post(serve.build("ingest", held), {**PLAIN, "id": "b"})
    await store.gauges.count_backlog(3)

    answer = await post(serve.build("ingest", held), {**PLAIN, "id": "c"})

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert await store.views.counts(TENANT) == {"pending": 2}


async def test_without_its_database_the_intake_asks_for_patience_and_promises_nothing(away: Store) -> None:
    answer = await post(serve.build("ingest", resources(away)), PLAIN)

    assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_without_the_broker_the_intake_keeps_all_the_same(world: World, ingest: App) -> None:
    world.broker.refuses = True

    answer = await post(ingest, PLAIN)

    assert answer.status == 202
    assert await world.store.views.counts(TENANT) == {"pending": 1}


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}, {"x-api-key": ""}])
async def test_with_keys_configured_a_call_needs_one(store: Store, headers: dict[str, str]) -> None:
    app = serve.build("ingest", resources(store, api_keys=SecretStr("shop:right")))

    posted = await post(app, PLAIN, **headers)
    seen = await call(app, "GET", f"/api/v1/notifications/{uuid4()}", headers=headers)

    assert (posted.status, seen.status) == (401, 401)
    assert await store.views.counts("shop") == {}


@pytest.mark.parametrize("headers", [{"x-api-key": "right"}, {"authorization": "Bearer right"}])
async def test_a_key_makes_it_the_notification_of_its_tenant(store: Store, headers: dict[str, str]) -> None:
    app = serve.build("ingest", resources(store, api_keys=SecretStr("shop:right,other:another")))

    answer = await post(app, PLAIN, **headers)

    assert answer.status == 202
    assert await store.views.counts("shop") == {"pending": 1}


async def test_the_notification_of_another_tenant_is_not_there(store: Store) -> None:
    app = serve.build("ingest", resources(store, api_keys=SecretStr("shop:right,other:another")))
    key = (await post(app, PLAIN, x_api_key="right")).document["id"]

    own = await call(app, "GET", f"/api/v1/notifications/{key}", headers={"x-api-key": "right"})
    others = await call(app, "GET", f"/api/v1/notifications/{key}", headers={"x-api-key": "another"})

    assert (own.status, others.status) == (200, 404)


@pytest.mark.parametrize("key", ["no-id", str(uuid4())])
async def test_what_nobody_posted_is_not_there(ingest: App, key: str) -> None:
    assert (await call(ingest, "GET", f"/api/v1/notifications/{key}")).status == 404


async def test_a_dead_letter_is_started_over_through_the_console_once(world: World) -> None:
    world.mail.answers = []
    notification = await world.post(user="nobody")
    await world.deliver_everything()
    app = serve.build("console", world.resources)
    (letter,) = (await call(app, "GET", "/dead-letters")).document["dead_letters"]

    first = await call(app, "POST", f"/dead-letters/{letter['id']}/replay")
    again = await call(app, "POST", f"/dead-letters/{letter['id']}/replay")

    assert (first.status, first.document["epoch"]) == (202, 1)
    assert again.status == 409
    assert await world.status_of(notification) == "pending"
