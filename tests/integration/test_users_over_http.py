"""Users as clients meet them: over HTTP, without a server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from functions.directory.users import PAGE
from shared import serve
from shared.serve import App
from shared.store import Store
from shared.store.directory import User
from tests.asgi import Answer, call, resources
from tests.world import TENANT, USER, World

JSON = {"content-type": "application/json"}
ADA: dict[str, Any] = {
    "name": "Ada",
    "email": "ada@example.test",
    "phone": "+491701234567",
    "whatsapp": "+491707654321",
    "telegram": "4711",
    "locale": "de-AT",
    "time_zone": "Europe/Berlin",
}


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def send(app: App, method: str, path: str, document: Any = None) -> Answer:
    return await call(app, method, path, b"" if document is None else json.dumps(document).encode(), JSON)


async def test_a_user_is_created_shown_replaced_and_changed(directory: App) -> None:
    created = await send(directory, "POST", "/users", {"id": 7, **ADA})
    shown = await send(directory, "GET", "/users/7")
    changed = await send(directory, "PATCH", "/users/7", {"name": "Ada L.", "phone": None})
    replaced = await send(directory, "PUT", "/users/7", {"name": "Ada"})

    assert (created.status, created.document) == (201, {"id": "7", **ADA})
    assert (shown.status, shown.document) == (200, {"id": "7", **ADA})
    assert (changed.status, changed.document) == (200, {"id": "7", **ADA, "name": "Ada L.", "phone": None})
    assert (replaced.status, replaced.document["email"], replaced.document["locale"]) == (200, None, "en")


async def test_a_user_without_an_id_gets_one(directory: App) -> None:
    first, second = [await send(directory, "POST", "/users", {"name": "Ada"}) for _ in range(2)]

    assert first.document["id"] != second.document["id"]
    assert (await send(directory, "GET", f"/users/{first.document['id']}")).document["name"] == "Ada"


async def test_who_is_there_is_not_created_again_and_stays_as_they_are(directory: App) -> None:
    await send(directory, "POST", "/users", {"id": "7", **ADA})

    answer = await send(directory, "POST", "/users", {"id": 7, "name": "Somebody else"})

    assert (answer.status, answer.document["field"]) == (409, "id")
    assert (await send(directory, "GET", "/users/7")).document["name"] == "Ada"


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_who_is_not_there_is_not_found(directory: App, method: str) -> None:
    assert (await send(directory, method, "/users/nobody", {} if method == "PATCH" else None)).status == 404


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"time_zone": "Europe/Nowhere"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"email": "not an address"}, "email"),
        ({"whatsapp": "12345"}, "whatsapp"),
        ({"telegram": True}, "telegram"),
        ({"name": "A\nB"}, "name"),
        ({"locale": "german"}, "locale"),
        ({"surname": "Lovelace"}, "surname"),
        ({"id": ""}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": True}, "id"),
    ],
)
async def test_a_user_that_is_wrong_is_refused_by_the_name_of_the_field(
    directory: App, said: dict[str, Any], field: str
) -> None:
    answer = await send(directory, "POST", "/users", said)

    assert (answer.status, answer.document["field"]) == (422, field)
    assert str(next(iter(said.values()))) not in answer.document["detail"] or said[next(iter(said))] in ("", True)


async def test_a_change_that_is_wrong_changes_nothing(directory: App) -> None:
    await send(directory, "POST", "/users", {"id": "7", **ADA})

    answer = await send(directory, "PATCH", "/users/7", {"name": "Other", "email": "nonsense"})

    assert (answer.status, answer.document["field"]) == (422, "email")
    assert (await send(directory, "GET", "/users/7")).document == {"id": "7", **ADA}


async def test_a_set_is_kept_whatever_is_wrong_with_one_of_it(directory: App) -> None:
    said = [{"id": USER, "name": "One"}, {"id": 2, **ADA}, {"id": 3, "email": "nonsense"}, {"id": "2"}, {"name": "New"}]

    answer = await send(directory, "POST", "/users/bulk", {"users": said})

    old, new, wrong, twice, made = answer.document["results"]
    assert answer.status == 200
    assert (old, new) == ({"id": USER, "status": "updated"}, {"id": "2", "status": "created"})
    assert (wrong["problem"]["field"], twice["problem"]["field"], made["status"]) == ("email", "id", "created")
    assert (await send(directory, "GET", "/users/2")).document == {"id": "2", **ADA}
    assert (await send(directory, "GET", "/users/3")).status == 404


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1_000, 200), (1_001, 422)])
async def test_a_set_has_a_thousand_users_at_most(directory: App, count: int, status: int) -> None:
    said = [{"id": number, "email": f"person-{number}@example.test"} for number in range(count)]

    answer = await send(directory, "POST", "/users/bulk", {"users": said})

    assert (answer.status, answer.document.get("field")) == (status, None if status == 200 else "users")


async def test_users_are_listed_by_the_page_and_by_an_address(world: World, directory: App) -> None:
    people = [User(id=f"p{number:03}", email=f"{number % 2}@example.test") for number in range(PAGE + 1)]
    await world.store.directory.put_users(TENANT, people)
    await world.store.directory.put_users("other", [User(id="theirs")])

    first = (await send(directory, "GET", "/users")).document
    rest = (await send(directory, "GET", f"/users?cursor={first['next_cursor']}")).document
    odd = (await send(directory, "GET", "/users?email=1@example.test")).document

    assert [len(first["users"]), len(rest["users"]), rest["next_cursor"]] == [PAGE, 2, None]
    assert [user["id"] for user in first["users"] + rest["users"]] == [USER, *[person.id for person in people]]
    assert [user["id"] for user in odd["users"]] == [person.id for person in people[1::2]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?cursor=%25", "cursor"),
        ("?cursor=AAAA", "cursor"),
        ("?email=x", "email"),
        ("?email=a@b.test&phone=1", "phone"),
    ],
)
async def test_a_list_that_is_asked_for_wrongly_is_refused(directory: App, query: str, field: str) -> None:
    answer = await send(directory, "GET", f"/users{query}")

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_nobody_sees_or_changes_the_people_of_another_tenant(store: Store) -> None:
    await store.directory.put_users(TENANT, [User(id=USER, name="Mine")])
    app = serve.build("directory", resources(store, api_keys="acme:k-1"))
    key = {"x-api-key": "k-1", **JSON}

    shown = await call(app, "GET", f"/users/{USER}", headers=key)
    changed = await call(app, "PATCH", f"/users/{USER}", b'{"name": "Theirs"}', key)
    created = await call(app, "POST", "/users", json.dumps({"id": USER}).encode(), key)
    await app.drain()

    assert (shown.status, changed.status, created.status) == (404, 404, 201)
    assert (await store.directory.user(TENANT, USER)) == User(id=USER, name="Mine")
