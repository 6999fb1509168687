"""The devices of a user as an app meets them: over HTTP, without a server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from functions.directory.devices import MAX_DEVICES
from shared import serve
from shared.serve import App
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.world import TENANT, USER, World

JSON = {"content-type": "application/json"}
TOKEN = "fGx:APA91b-_/%?#& x".replace(" ", "")
"""Everything that an address must have encoded."""


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def put(app: App, token: str, document: Any, user: str = USER) -> Answer:
    address = f"/users/{user}/devices/{quote(token, safe='')}"
    return await call(app, "PUT", address, json.dumps(document).encode(), JSON)


async def delete(app: App, token: str, query: str = "?provider=fcm", user: str = USER) -> Answer:
    return await call(app, "DELETE", f"/users/{user}/devices/{quote(token, safe='')}{query}")


async def listed(app: App, user: str = USER) -> list[dict[str, Any]]:
    devices: list[dict[str, Any]] = (await call(app, "GET", f"/users/{user}/devices")).document["devices"]
    return devices


async def test_a_device_is_registered_listed_and_removed(directory: App) -> None:
    answer = await put(directory, TOKEN, {"provider": "fcm", "platform": "android"})
    (seen,) = await listed(directory)
    gone = await delete(directory, TOKEN)

    assert (answer.status, answer.document) == (200, {"token": TOKEN, "provider": "fcm", "platform": "android"})
    assert (seen["token"], seen["provider"], seen["platform"]) == (TOKEN, "fcm", "android")
    assert seen["registered_at"].startswith("20")
    assert (gone.status, gone.body) == (204, b"")
    assert await listed(directory) == []


async def test_an_app_may_register_its_device_at_every_start(directory: App) -> None:
    for _ in range(3):
        await put(directory, "phone", {"provider": "onesignal"})

    assert [(one["token"], one["platform"]) for one in await listed(directory)] == [("phone", "")]


async def test_a_device_changes_hands_when_another_user_registers_it(world: World, directory: App) -> None:
    await call(directory, "PUT", "/users/2", b"{}", JSON)
    await put(directory, "phone", {"provider": "fcm"})

    await put(directory, "phone", {"provider": "fcm"}, user="2")

    assert (await listed(directory), len(await listed(directory, "2"))) == ([], 1)


@pytest.mark.parametrize(
    ("token", "document", "field"),
    [
        ("phone", {}, "provider"),
        ("phone", {"provider": "apns"}, "provider"),
        ("phone", {"provider": "fcm", "platform": "Android!"}, "platform"),
        ("phone", {"provider": "fcm", "platform": "x" * 33}, "platform"),
        ("phone", {"provider": "fcm", "user": "2"}, "user"),
        ("a b", {"provider": "fcm"}, "token"),
        ("a\x7fb", {"provider": "fcm"}, "token"),
        ("tökn", {"provider": "fcm"}, "token"),
        ("x" * 4097, {"provider": "fcm"}, "token"),
    ],
)
async def test_a_registration_that_is_wrong_is_refused_by_the_name_of_its_field(
    directory: App, token: str, document: dict[str, str], field: str
) -> None:
    answer = await put(directory, token, document)

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.document["field"] == field
    assert token not in answer.body.decode()
    assert await listed(directory) == []


async def test_a_token_may_be_as_long_as_4096_characters(directory: App) -> None:
    assert (await put(directory, "x" * 4096, {"provider": "fcm"})).status == 200


async def test_a_user_has_a_bounded_number_of_devices_and_may_register_a_known_one_again(directory: App) -> None:
    statuses = [(await put(directory, f"phone-{number}", {"provider": "fcm"})).status for number in range(MAX_DEVICES)]

    one_more = await put(directory, "one-more", {"provider": "fcm"})
    again = await put(directory, "phone-0", {"provider": "fcm"})

    assert set(statuses) == {200}
    assert (one_more.status, one_more.document["title"], again.status) == (409, "Too many devices", 200)


@pytest.mark.parametrize("query", ["", "?provider=", "?provider=apns"])
async def test_a_removal_names_its_provider(directory: App, query: str) -> None:
    await put(directory, "phone", {"provider": "fcm"})

    answer = await delete(directory, "phone", query)

    assert (answer.status, answer.document["field"]) == (422, "provider")
    assert len(await listed(directory)) == 1


async def test_what_is_not_there_is_not_found(directory: App) -> None:
    answers = [
        await put(directory, "phone", {"provider": "fcm"}, user="nobody"),
        await call(directory, "GET", "/users/nobody/devices"),
        await delete(directory, "phone"),
        await delete(directory, "phone", user="nobody"),
    ]

    assert [answer.status for answer in answers] == [404] * 4


async def test_nobody_touches_the_devices_of_another_tenant(store: Store) -> None:
    await store.devices.register(TENANT, USER, provider="fcm", token="phone")
    app = serve.build("directory", resources(store, api_keys="acme:k-1"))
    key = {"x-api-key": "k-1"}

    without = await call(app, "GET", f"/users/{USER}/devices")
    removed = await call(app, "DELETE", f"/users/{USER}/devices/phone?provider=fcm", headers=key)
    await app.drain()

    assert (without.status, removed.status) == (401, 404)
    assert len(await store.devices.of_user(TENANT, USER)) == 1
