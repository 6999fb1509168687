"""One event for many users, end to end: nobody is lost and nobody is told twice, whatever dies."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import serve
from shared.events import Event, EventType, Reference
from shared.serve import App
from shared.store import Store
from shared.store.directory import User
from shared.store.fan_outs import USERS_AT_ONCE
from shared.timestamps import write_timestamp
from tests.asgi import Answer, call
from tests.world import TENANT, World

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SALE: dict[str, Any] = {"event_type": "sale", "id": "sale-1", "data": {"message": "Everything must go."}}
MANY = [f"user-{number}" for number in range(USERS_AT_ONCE + 7)]


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


async def post(app: App, document: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(
        app, "POST", "/events", json.dumps(document).encode(), {"content-type": "application/json", **named}
    )


async def show(app: App, key: str) -> Any:
    return (await call(app, "GET", f"/events/fan-outs/{key}")).document


async def move_in(world: World, *users: str) -> None:
    await world.store.directory.put_users(TENANT, [User(id=user, email=f"{user}@example.test") for user in users])


async def test_everybody_is_told_once(world: World, ingest: App) -> None:
    await move_in(world, "a", "b", "c")

    answer = await post(ingest, {**SALE, "user_ids": ["a", "b", "c", "a", "nobody"]}, traceparent=TRACE)
    await ingest.drain()
    await world.deliver_everything()
    await world.redeliver_everything()
    await world.deliver_everything()

    assert (answer.status, answer.document["status"], answer.document["total"]) == (202, "expanding", 4)
    assert sorted(letter.address for letter in world.mail.letters) == [f"{user}@example.test" for user in "abc"]
    assert await world.store.views.counts(TENANT) == {"sent": 3, "failed": 1}
    seen = await show(ingest, answer.document["fan_out_id"])
    assert (seen["status"], seen["total"], seen["expanded"]) == ("expanded", 4, 4)
    rows = await world.store.database.fetch("SELECT DISTINCT traceparent, correlation_id FROM notifications")
    assert rows == [(TRACE, answer.document["fan_out_id"])]


async def test_the_answer_comes_before_anybody_is_told_and_what_was_answered_is_kept(world: World, ingest: App) -> None:
    world.broker.refuses = True

    answer = await post(ingest, {**SALE, "user_ids": MANY})

    assert answer.status == 202
    assert await world.store.views.counts(TENANT) == {}
    assert (await show(ingest, answer.document["fan_out_id"]))["total"] == len(MANY)


async def test_it_is_finished_even_if_every_message_is_lost_at_every_step(world: World, ingest: App) -> None:
    await post(ingest, {**SALE, "user_ids": MANY})
    await ingest.drain()

    for _ in range(4):
        world.lose_messages()
        await world.turn_clock(61)
        await world.sweep()
        await world.deliver_next()
    await world.live_on()

    assert await world.store.views.counts(TENANT) == {"failed": len(MANY)}


async def test_a_set_whose_messages_the_broker_refused_is_announced_when_it_comes_again(
    world: World, ingest: App
) -> None:
    await move_in(world, "a", "b")
    await post(ingest, {**SALE, "user_ids": ["a", "b"]})
    await ingest.drain()

    world.broker.refuses = True
    await world.deliver_next()
    made = await world.store.views.counts(TENANT)
    world.broker.refuses = False
    await world.deliver_everything()

    assert made == {"pending": 2}
    assert len(world.mail.letters) == 2


async def test_the_same_event_again_is_the_same_and_with_other_users_it_is_refused(world: World, ingest: App) -> None:
    document = {**SALE, "user_ids": ["a", "b"]}

    answers = await asyncio.gather(*[post(ingest, document) for _ in range(16)])
    other = await post(ingest, {**SALE, "user_ids": ["a", "b", "c"]})

    assert Counter(answer.status for answer in answers) == {202: 16}
    assert len({answer.document["fan_out_id"] for answer in answers}) == 1
    assert (other.status, other.document["title"]) == (422, "Key used before")


async def test_who_was_told_alone_before_is_not_told_again(world: World, ingest: App) -> None:
    await move_in(world, "a", "b")
    before = serve.build("ingest", world.resources)
    alone = await post(before, {**SALE, "user_id": "a"})
    await before.drain()
    await world.deliver_everything()

    await post(ingest, {**SALE, "user_ids": ["a", "b"]})
    await ingest.drain()
    await world.deliver_everything()
    again = await post(serve.build("ingest", world.resources), {**SALE, "user_id": "b"})

    assert len(world.mail.letters) == 2
    assert (alone.status, again.status) == (202, 202)
    assert await world.store.views.counts(TENANT) == {"sent": 2}


async def test_without_a_key_it_is_new_each_time_and_with_the_key_of_the_request_it_is_not(
    world: World, ingest: App
) -> None:
    document = {"event_type": "sale", "user_ids": ["a"], "data": SALE["data"]}

    new = {(await post(ingest, document)).document["fan_out_id"] for _ in range(2)}
    keyed = {(await post(ingest, document, idempotency_key="k")).document["fan_out_id"] for _ in range(2)}

    assert (len(new), len(keyed)) == (2, 1)


async def test_a_key_that_one_event_has_used_is_refused(ingest: App) -> None:
    await post(ingest, {**SALE, "user_id": "a"}, idempotency_key="k")

    answer = await post(ingest, {**SALE, "user_ids": ["a"]}, idempotency_key="k")

    assert answer.status == 422


async def test_one_of_an_array_may_be_for_many(world: World, ingest: App) -> None:
    answer = await post(ingest, [{**SALE, "user_ids": ["a", "b"]}, {**SALE, "user_id": "c"}, {**SALE, "user_ids": []}])

    many, one, none = answer.document["results"]
    assert (many["total"], one["status"], none["problem"]["field"]) == (2, "pending", "user_ids")


async def test_it_is_scheduled_as_one_event_is(world: World, ingest: App) -> None:
    later = write_timestamp(datetime.now(UTC) + timedelta(hours=1))
    await post(ingest, {**SALE, "user_ids": ["a", "b"], "send_at": later, "priority": "low"})
    await ingest.drain()
    await world.deliver_everything()

    assert await world.store.views.counts(TENANT) == {"scheduled": 2}


async def test_another_tenants_is_not_there(world: World, ingest: App, store: Store) -> None:
    answer = await post(ingest, {**SALE, "user_ids": ["a"]})

    assert await store.fan_outs.document("other", UUID(answer.document["fan_out_id"])) is None
    for key in (str(uuid4()), "no-id"):
        assert (await call(ingest, "GET", f"/events/fan-outs/{key}")).status == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user_ids": []}, "user_ids"),
        ({"user_ids": "all"}, "user_ids"),
        ({"user_ids": ["a", True]}, "user_ids[1]"),
        ({"user_ids": list(range(10_001))}, "user_ids"),
        ({"user_ids": ["a"], "user_id": "a"}, "user_ids"),
        ({"user_ids": ["a"], "data": {}}, "data.message"),
    ],
)
async def test_a_wrong_one_is_refused_by_name(ingest: App, changed: dict[str, Any], field: str) -> None:
    answer = await post(ingest, {**SALE, **changed})

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_ten_thousand_users_fit_into_one_event(world: World, ingest: App) -> None:
    answer = await post(ingest, {**SALE, "user_ids": [str(uuid4()) for _ in range(10_000)]})

    assert (answer.status, answer.document["total"]) == (202, 10_000)


async def test_a_forged_request_moves_nothing(world: World, ingest: App) -> None:
    await post(ingest, {**SALE, "user_ids": ["a"]})
    forged = [Reference(fan_out_id=uuid4()), Reference(), Reference(fan_out_id=uuid4(), position=-1)]

    answers = await world.frames["events.main"].take(
        [Event(id=str(n), source="/x", type=EventType.FAN_OUT_REQUESTED, data=data) for n, data in enumerate(forged)]
    )

    assert answers == [204, 204, 204]
    assert await world.store.views.counts(TENANT) == {}
