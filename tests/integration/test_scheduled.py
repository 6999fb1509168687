"""What is posted for later is sent then: not before, not after it is of use, and once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared import serve
from shared.timestamps import write_timestamp
from tests.asgi import Answer, call
from tests.world import TENANT, World, lines

HOUR = 3_600.0


def in_hours(hours: float) -> str:
    return write_timestamp(datetime.now(UTC) + timedelta(hours=hours))


async def post(world: World, path: str, document: dict[str, Any]) -> Answer:
    app = serve.build("ingest", world.resources)
    answer = await call(app, "POST", path, json.dumps(document).encode(), {"content-type": "application/json"})
    await app.drain()
    return answer


ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("/events", {"event_type": "reminder", "user_id": 1, "data": {"message": "Do not forget."}}),
    ("/notifications/send", {"user_id": 1, "channel": "email", "variables": {"message": "Do not forget."}}),
    ("/api/v1/notifications", {"type": "email", "recipient": "one@example.test", "message": "Do not forget."}),
]


@pytest.mark.parametrize(("path", "document"), ROUTES)
async def test_it_waits_for_its_time_and_is_sent_then(world: World, path: str, document: dict[str, Any]) -> None:
    answer = await post(world, path, {**document, "send_at": in_hours(2)})
    key = UUID(answer.document["id"])

    await world.turn_clock(HOUR)
    await world.sweep()
    await world.deliver_everything()
    before = (await world.status_of(key), len(world.mail.letters))
    await world.turn_clock(HOUR + 1)
    await world.sweep()
    await world.deliver_everything()

    assert (answer.status, answer.document["status"]) == (202, "scheduled")
    assert before == ("scheduled", 0)
    assert (await world.status_of(key), len(world.mail.letters)) == ("sent", 1)
    assert lines(await world.document(key), "accepted")[-1]["why"] == "its time has come"


async def test_its_life_begins_when_it_is_due(world: World) -> None:
    await world.store.directory.put_workflow(TENANT, "reminder", {"expires_after_seconds": 600})
    key = await world.post(event_type="reminder", send_at=in_hours(48))

    await world.turn_clock(48 * HOUR + 1)
    await world.sweep()
    world.lose_messages()
    await world.turn_clock(300)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(key) == "sent"


async def test_what_nobody_could_send_in_its_time_expires(world: World) -> None:
    key = await world.post(send_at=in_hours(2), expires_at=in_hours(3))

    await world.turn_clock(2 * HOUR + 1)
    await world.sweep()
    world.lose_messages()
    await world.turn_clock(HOUR)
    await world.sweep()
    await world.deliver_everything()

    assert (await world.status_of(key), world.mail.letters) == ("expired", [])


async def test_a_time_in_the_past_is_now(world: World) -> None:
    key = await world.post(send_at=in_hours(-1))

    await world.deliver_everything()

    assert await world.status_of(key) == "sent"


async def test_a_newer_one_with_its_collapse_key_takes_its_place_before_its_time(world: World) -> None:
    old = await world.post("old", send_at=in_hours(1), collapse_key="meeting")
    new = await world.post("new", send_at=in_hours(1), collapse_key="meeting")

    await world.turn_clock(HOUR + 1)
    await world.sweep()
    await world.deliver_everything()

    assert (await world.status_of(old), await world.status_of(new)) == ("skipped", "sent")


async def test_it_is_no_backlog_and_a_lost_broker_does_not_hasten_it(world: World) -> None:
    key = await world.post(send_at=in_hours(5))

    await world.store.sagas.hasten()

    assert await world.store.gauges.count_backlog(10) == 0
    assert (await world.next_look_in(key) or 0) > 4.9 * HOUR


async def test_the_view_says_when_and_how(world: World) -> None:
    key = await world.post(send_at=in_hours(5), priority="high", on_ambiguous="hold")

    document = await world.document(key)

    assert document["send_at"] is not None
    assert document["priority"] == "high"
    assert document["wishes"] == {"on_ambiguous": "hold", "priority": "high"}
