"""Explanations of what really happened, as clients ask for them: over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from functions.ingest.status_documents import Explanation, NotificationDocument
from shared import serve
from shared.outcomes import Outcome
from shared.saga import Why
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from tests.asgi import call, resources
from tests.fakes import ScriptedProvider
from tests.world import ADDRESS, TENANT, World

BUSY = Outcome(kind=OutcomeKind.TRANSIENT, code="451 4.3.0", reason="the server is busy", provider="scripted")


@pytest.fixture
def ingest(world: World) -> App:
    return serve.build("ingest", world.resources)


async def explained(app: App, key: UUID) -> Explanation:
    answer = await call(app, "GET", f"/api/v1/notifications/{key}/explain")
    assert answer.status == 200
    return Explanation.model_validate(answer.document)


def said(explanation: Explanation) -> dict[tuple[str, str], tuple[str, str]]:
    return {(line.rule, line.about): (line.verdict, line.why) for line in explanation.rules}


async def go(world: World, app: App, key: str, **more: Any) -> dict[tuple[str, str], tuple[str, str]]:
    notification = await world.post(key, **more)
    await world.deliver_everything()
    return said(await explained(app, notification))


async def test_one_wish_changed_is_one_line_changed(world: World, ingest: App) -> None:
    before = await go(world, ingest, "order-1")
    await world.store.directory.put_preference(TENANT, "1", "*", Channel.WEBSOCKET, enabled=False)

    after = await go(world, ingest, "order-2")

    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert differing == {("channel", "websocket"), ("turn", "websocket")}
    assert after["channel", "websocket"] == ("passed over", Why.OPTED_OUT.value)


async def test_another_event_type_with_a_rule_of_its_own_says_whose_rule_it_was(world: World, ingest: App) -> None:
    built_in = await go(world, ingest, "order-1")
    await world.store.directory.put_workflow(TENANT, "*", {})
    default = await go(world, ingest, "order-2")
    await world.store.directory.put_workflow(TENANT, "order_shipped", {})
    own = await go(world, ingest, "order-3")

    assert [one["workflow", ""][0] for one in (built_in, default, own)] == [
        "built in",
        "rule of the tenant",
        "rule of the event type",
    ]
    assert {**built_in, ("workflow", ""): None} == {**own, ("workflow", ""): None}


async def test_a_second_try_says_why_it_was_made(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(BUSY)).settle_in()
    app = serve.build("ingest", world.resources)
    notification = await world.post()
    await world.deliver_everything()
    waiting = said(await explained(app, notification))
    await world.live_on()

    done = said(await explained(app, notification))

    assert waiting["wait", "email"][1] == "the attempt before failed for now: the server is busy"
    assert done["again", "email, attempt 2"] == ("tried again", "the attempt before failed for now: the server is busy")
    assert ("wait", "email") not in done


async def test_what_was_called_back_says_by_whom_and_what_could_not_be_undone(world: World, ingest: App) -> None:
    notification = await world.post()
    await world.deliver_everything()
    await call(ingest, "POST", f"/api/v1/notifications/{notification}/cancel")
    await world.deliver_everything()

    rules = (await explained(ingest, notification)).rules

    cancelled = [line for line in rules if line.rule == "cancellation"]
    assert [line.verdict for line in cancelled] == ["cancelling", "cancelled"]
    assert {line.inputs["cancelled_by"] for line in cancelled} == {"open"}
    assert [(line.about, line.why) for line in rules if line.rule == "not undone"] == [
        ("email", "an e-mail cannot be called back")
    ]


async def test_in_words_it_is_text_and_names_no_address(world: World, ingest: App) -> None:
    notification = await world.post()
    await world.deliver_everything()

    answer = await call(ingest, "GET", f"/api/v1/notifications/{notification}/explain?format=text")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "channel (email): usable." in answer.body.decode()
    assert ADDRESS not in answer.body.decode()


async def test_another_form_is_refused_and_what_is_not_there_is_not_explained(world: World, ingest: App) -> None:
    notification = await world.post()
    other = serve.build("ingest", resources(world.store, api_keys="other:right"))
    place = f"/api/v1/notifications/{notification}/explain"

    refused = await call(ingest, "GET", f"{place}?format=xml")
    unknown = await call(ingest, "GET", f"/api/v1/notifications/{uuid4()}/explain")
    foreign = await call(other, "GET", place, headers={"x-api-key": "right"})

    assert [answer.status for answer in (refused, unknown, foreign)] == [422, 404, 404]


async def test_the_document_is_what_the_table_of_operations_says(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(BUSY)).settle_in({"channels": ["email", "sms"]})
    app = serve.build("ingest", world.resources)
    notification = await world.post(collapse_key="order")
    fresh = await call(app, "GET", f"/api/v1/notifications/{notification}")
    await world.live_on()

    seen = await call(app, "GET", f"/api/v1/notifications/{notification}")

    for document in (fresh.document, seen.document):
        told = NotificationDocument.model_validate(document, strict=False)
        assert told.model_dump(mode="json", exclude_unset=True) == document
