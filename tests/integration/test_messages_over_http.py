"""What notifications say on each channel, as an operator reads it: over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import serve
from shared.runtime import Resources
from shared.serve import App
from shared.statuses import Channel
from tests.asgi import Answer, call, resources
from tests.world import TENANT, USER, World


@pytest.fixture
def ingest(world: World) -> App:
    return serve.build("ingest", world.resources)


async def ask(app: App, key: object, headers: dict[str, str] | None = None) -> Answer:
    return await call(app, "GET", f"/api/v1/notifications/{key}/messages", headers=headers)


async def words(app: App, key: UUID) -> list[dict[str, Any]]:
    answer = await ask(app, key)
    assert (answer.status, answer.document["id"]) == (200, str(key))
    found: list[dict[str, Any]] = answer.document["messages"]
    return found


async def test_the_words_of_each_channel_are_told_as_they_were_rendered(world: World, ingest: App) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {"channels": ["email", "websocket"], "strategy": "all"})
    data = {"message": "It left.", "options": {"email": {"html": "<p>It left.</p>"}}}
    key = await world.post(data=data)
    await world.deliver_everything()

    email, inbox = await words(ingest, key)

    assert (email["channel"], inbox["channel"], email["epoch"]) == ("email", "websocket", 0)
    assert (email["subject"], email["html"]) == ("Order shipped", "<p>It left.</p>")
    assert "It left." in email["text"]
    assert inbox["html"] is None


async def test_what_is_not_routed_or_could_not_be_rendered_has_no_words(world: World, ingest: App) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {"channels": ["email"], "template": "nobodys"})
    key = await world.post()
    before = await words(ingest, key)
    await world.deliver_everything()

    assert before == await words(ingest, key) == []


async def test_nothing_is_left_of_them_when_their_person_is_forgotten(world: World, ingest: App) -> None:
    key = await world.post()
    await world.deliver_everything()
    told = await words(ingest, key)

    erasure = await world.store.erasures.ask(TENANT, USER)
    assert erasure is not None
    await world.store.erasures.work(erasure.id)

    assert len(told) == 1
    assert await words(ingest, key) == []


async def test_no_cache_keeps_them(world: World, ingest: App) -> None:
    answer = await ask(ingest, await world.post())

    assert answer.headers["cache-control"] == "no-store"


async def test_another_tenants_notification_and_none_at_all_are_not_there(world: World) -> None:
    key = await world.post()
    await world.deliver_everything()
    process: Resources = resources(world.store, api_keys="globex:key")
    elsewhere = serve.build("ingest", process)

    answers = [await ask(elsewhere, one, {"x-api-key": "key"}) for one in (key, uuid4(), "nonsense")]

    assert [answer.status for answer in answers] == [404, 404, 404]
    assert await world.value("status", key, Channel.EMAIL) == "sent"
