"""Preferences as people and operators meet them: over HTTP, without a server, and as what is then sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import serve
from shared.serve import App
from shared.statuses import NotificationStatus
from tests.asgi import Answer, call
from tests.world import USER, World, lines

JSON = {"content-type": "application/json"}
NIGHT = {"from": "22:00", "to": "07:00", "channels": ["sms", "push"]}
MINE = f"/users/{USER}/preferences"


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def put(app: App, document: Any, path: str = MINE) -> Answer:
    return await call(app, "PUT", path, json.dumps(document).encode(), JSON)


async def test_a_person_says_what_they_want_and_sees_it(directory: App) -> None:
    before = await call(directory, "GET", MINE)
    said = {"preferences": {"news": {"email": False}}, "quiet_hours": NIGHT, "time_zone": "Europe/Berlin"}

    answer = await put(directory, said)

    unsaid: dict[str, Any] = {"preferences": {}, "quiet_hours": None, "time_zone": None, "id": USER, "critical": []}
    assert (before.status, before.document) == (200, unsaid)
    assert (answer.status, answer.document) == (200, {**unsaid, **said})
    assert (await call(directory, "GET", MINE)).document == answer.document


async def test_quiet_hours_are_switched_off_or_left_to_the_tenant(directory: App) -> None:
    await put(directory, {"quiet_hours": NIGHT})

    off = await put(directory, {"quiet_hours": False})
    default = await put(directory, {})

    assert [off.document["quiet_hours"], default.document["quiet_hours"]] == [False, None]


async def test_what_holds_for_everybody_is_shown_and_replaced(directory: App) -> None:
    before = await call(directory, "GET", "/preferences/defaults")
    said = {"critical": ["security"], "defaults": {"news": {"sms": False}}, "quiet_hours": NIGHT}

    answer = await put(directory, said, "/preferences/defaults")

    unsaid: dict[str, Any] = {"time_zone": "UTC", "critical": [], "defaults": {}, "quiet_hours": None, "caps": []}
    assert (before.status, before.document) == (200, unsaid)
    assert (answer.status, answer.document) == (200, {**unsaid, **said})
    assert (await call(directory, "GET", "/preferences/defaults")).document == answer.document
    assert (await call(directory, "GET", MINE)).document["critical"] == ["security"]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"preferences": {"News!": {"email": False}}}, "preferences.News!"),
        ({"preferences": {"news": {"fax": False}}}, "preferences.news.fax"),
        ({"preferences": {"security": {"email": False}}}, "preferences.security.email"),
        ({"quiet_hours": {"from": "22:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": "22:00", "to": "25:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, "quiet_hours"),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "channels": []}}, "quiet_hours"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"wishes": {}}, "wishes"),
    ],
)
async def test_what_cannot_be_wished_for_is_refused_by_the_name_of_its_field(
    directory: App, said: dict[str, Any], field: str
) -> None:
    await put(directory, {"critical": ["security"]}, "/preferences/defaults")

    answer = await put(directory, said)

    assert answer.status == 422
    assert answer.document["field"].startswith(field)
    assert (await call(directory, "GET", MINE)).document["preferences"] == {}


async def test_who_is_not_there_has_no_preferences(directory: App) -> None:
    path = "/users/nobody/preferences"

    assert [(await call(directory, "GET", path)).status, (await put(directory, {}, path)).status] == [404, 404]


async def test_who_opts_out_between_the_event_and_the_mail_gets_no_mail_and_a_reason(
    world: World, directory: App
) -> None:
    notification = await world.post_routed()
    await put(directory, {"preferences": {"general": {"email": False, "websocket": False}}})

    await world.deliver_everything()

    assert await world.status_of(notification) is NotificationStatus.SKIPPED
    assert world.mail.letters == []
    assert (await world.document(notification))["reason"] == "the user does not want this category here"


@pytest.mark.parametrize("is_routed", [False, True], ids=["when it is routed", "when it is claimed"])
async def test_what_comes_in_quiet_hours_is_sent_when_they_end(world: World, directory: App, is_routed: bool) -> None:
    starts, ends = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=2)
    if is_routed:
        notification = await world.post_routed()
    hours = {"from": f"{starts:%H:%M}", "to": f"{ends:%H:%M}", "channels": ["email"]}
    await put(directory, {"quiet_hours": hours})
    if not is_routed:
        notification = await world.post()

    await world.deliver_everything()
    waiting = await world.document(notification)
    await put(directory, {})
    await world.turn_clock(2 * 3600 + 10)
    await world.sweep()
    await world.deliver_everything()

    assert (waiting["status"], waiting["attempts"]) == ("queued", [])
    assert [line["detail"]["attempt"] for line in lines(waiting, "deferred")] == [1]
    assert await world.status_of(notification) is NotificationStatus.SENT
    assert len(world.mail.letters) == 1


async def test_what_expires_in_quiet_hours_is_not_sent(world: World, directory: App) -> None:
    starts, ends = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=2)
    hours = {"from": f"{starts:%H:%M}", "to": f"{ends:%H:%M}", "channels": ["email"]}
    await put(directory, {"quiet_hours": hours})
    notification = await world.post(expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    await world.deliver_everything()

    await world.turn_clock(3 * 3600)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(notification) is NotificationStatus.EXPIRED
    assert world.mail.letters == []
