"""What one notification asks for itself goes before its workflow; and what waits is treated by its priority."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from shared import serve
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World

EVENT: dict[str, Any] = {"event_type": "order_shipped", "user_id": 1, "data": {"message": "hello"}}


async def post(app: App, document: Any) -> Answer:
    return await call(app, "POST", "/events", json.dumps(document).encode(), {"content-type": "application/json"})


async def test_one_notification_may_ask_never_to_be_sent_twice(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(*[OutcomeKind.AMBIGUOUS] * 9)).settle_in({"channels": ["email"]})

    held, other = await world.post("held", on_ambiguous="hold"), await world.post("other")
    await world.live_on()

    assert await world.status_of(held) == "unknown"
    assert len(await world.outcomes(held)) == 1
    assert len(await world.outcomes(other)) > 1


async def test_one_notification_may_ask_to_be_sent_again_where_its_workflow_says_hold(store: Store) -> None:
    provider = ScriptedProvider(OutcomeKind.AMBIGUOUS, OutcomeKind.ACCEPTED)
    world = await World(store, email=provider).settle_in({"channels": ["email"], "on_ambiguous": "hold"})

    key = await world.post(on_ambiguous="resend")
    await world.live_on()

    assert await world.status_of(key) == "sent"


async def test_without_wishes_nothing_is_written_about_them(world: World) -> None:
    await world.post("one", priority="normal")
    await world.post("two", prefers=Channel.EMAIL)

    assert await world.store.database.fetch("SELECT DISTINCT wishes FROM notifications") == [(None,)]


async def test_by_priority_the_sweep_looks_sooner_or_later(world: World) -> None:
    keys = {priority: await world.post(priority, priority=priority) for priority in ("low", "normal", "high")}

    looks = {priority: round(await world.next_look_in(key) or 0) for priority, key in keys.items()}

    assert looks == {"low": 60, "normal": 30, "high": 10}


async def test_while_much_waits_what_has_a_low_priority_is_asked_to_come_later(store: Store) -> None:
    app = serve.build("ingest", resources(store, intake_backlog_max=4))
    for _ in range(2):
        await post(app, EVENT)
    await store.gauges.count_backlog(10)
    app = serve.build("ingest", resources(store, intake_backlog_max=4))

    low, normal = await post(app, {**EVENT, "priority": "low"}), await post(app, EVENT)
    for_many = {name: value for name, value in EVENT.items() if name != "user_id"} | {"user_ids": [1]}
    many = await post(app, [{**EVENT, "priority": "low"}, EVENT, {**for_many, "priority": "low"}])

    assert (low.status, normal.status, many.status) == (503, 202, 202)
    assert int(low.headers["retry-after"]) >= 1
    assert [result.get("problem", {}).get("status") for result in many.document["results"]] == [503, None, 503]
    assert await store.views.counts(TENANT) == {"pending": 4}


async def test_up_to_a_thousand_events_are_answered_in_their_order(store: Store) -> None:
    app = serve.build("ingest", resources(store))
    wrong = {**EVENT, "data": {}}

    answer = await post(app, [{**EVENT, "id": "a"}, wrong, 5, {**EVENT, "id": "b"}, {**EVENT, "id": "a"}])
    most = await post(app, [{**EVENT, "id": str(number)} for number in range(1_000)])
    more = await post(app, [EVENT] * 1_001)

    first, second, third, fourth, fifth = answer.document["results"]
    assert (answer.status, first["status"], first["id"] == fifth["id"], fourth["id"] == first["id"]) == (
        202,
        "pending",
        True,
        False,
    )
    assert [second["problem"]["field"], third["problem"]["field"]] == ["data.message", "body"]
    assert len({UUID(result["id"]) for result in most.document["results"]}) == 1_000
    assert (more.status, "1000" in more.document["detail"]) == (413, True)
    assert await store.views.counts(TENANT) == {"pending": 1_002}


async def test_an_array_has_a_bound_in_bytes_and_so_has_each_event_of_it(store: Store) -> None:
    app = serve.build("ingest", resources(store))
    large = {**EVENT, "data": {"message": "x", "more": "x" * 300_000}}

    alone, among = await post(app, large), await post(app, [large, EVENT])
    too_many = await post(app, [large] * 4)

    assert (alone.status, too_many.status) == (413, 413)
    assert among.document["results"][0]["problem"]["status"] == 413
    assert among.document["results"][1]["status"] == "pending"


async def test_nothing_but_json_and_an_empty_array_are_answered_too(store: Store) -> None:
    app = serve.build("ingest", resources(store))

    empty = await post(app, [])
    broken = await call(app, "POST", "/events", b' [{"a"', {"content-type": "application/json"})

    assert (empty.status, empty.document) == (202, {"results": []})
    assert broken.status == 400
