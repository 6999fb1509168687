"""The intake and the console as clients meet them: over HTTP, without a server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from shared import serve
from shared.broker.topology import EVENTS
from shared.events import BATCH_CONTENT_TYPE
from shared.serve import App
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.world import TENANT, World

SECRET = "do-not-repeat-this"
PLAIN: dict[str, Any] = {"event_type": "order_shipped", "user_id": 1, "id": "order-1", "data": {"message": "hello"}}


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


async def post(app: App, document: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return await call(app, "POST", "/events", body, {"content-type": "application/json", **named})


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


async def test_a_batch_may_be_larger_than_one_event_may(ingest: App) -> None:
    event = {"specversion": "1.0", "source": "/shop", "type": "order_shipped", "subject": "1"}
    large = [{**event, "id": f"large-{number}", "data": {"message": "x" * 30_000}} for number in range(12)]

    answer = await post(ingest, large, content_type=BATCH_CONTENT_TYPE)

    assert answer.status == 202
    assert len({one["id"] for one in answer.document["results"]}) == 12


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


@pytest.mark.parametrize("key", ["no-id", "5f0c8ab6-5dc4-4c0e-9d7e-3f1d6a2b9c01"])
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
