"""The same request again is the same notification, on each of the routes; with another body it is refused."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest
from pydantic import SecretStr

from shared import serve
from shared.serve import App
from shared.store import Store
from tests.asgi import Answer, call, resources

EVENT: dict[str, Any] = {"event_type": "order_shipped", "user_id": 1, "data": {"message": "hello"}}
SEND = {"user_id": 1, "channel": "email", "variables": {"message": "hello"}}
DIRECT = {"type": "email", "recipient": "a@example.test", "subject": "Hi", "message": "hello"}
ROUTES: list[tuple[str, Any, dict[str, Any]]] = [
    ("/events", EVENT, {"data": {"message": "other"}}),
    ("/notifications/send", SEND, {"variables": {"message": "other"}}),
    ("/api/v1/notifications", DIRECT, {"message": "other"}),
]


async def post(app: App, path: str, document: Any, key: str | None = "key-1", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    known = {"content-type": "application/json", **named, **({"idempotency-key": key} if key else {})}
    return await call(app, "POST", path, json.dumps(document).encode(), known)


async def count(store: Store) -> int:
    return int((await store.database.fetch("SELECT count(*) FROM notifications"))[0][0])


@pytest.mark.parametrize(("path", "document", "changed"), ROUTES)
async def test_64_requests_with_one_key_at_once_make_one_notification(
    store: Store, path: str, document: Any, changed: dict[str, Any]
) -> None:
    apps = [serve.build("ingest", resources(store)) for _ in range(2)]

    answers = await asyncio.gather(*[post(apps[n % 2], path, document) for n in range(64)])
    other = await post(apps[0], path, {**document, **changed})

    assert Counter(answer.status for answer in answers) == {202: 64}
    assert len({answer.document["id"] for answer in answers}) == 1
    assert (other.status, other.document["title"]) == (422, "Key used before")
    assert await count(store) == 1


@pytest.mark.parametrize(
    ("path", "document", "changed"),
    [
        ("/events", EVENT, {"user_id": 2}),
        ("/notifications/send", SEND, {"user_id": 2}),
        ("/notifications/send", SEND, {"channel": "websocket"}),
        ("/notifications/send", SEND, {"template": "plain"}),
        ("/api/v1/notifications", DIRECT, {"recipient": "b@example.test"}),
        ("/api/v1/notifications", DIRECT, {"subject": "Other"}),
        ("/events", EVENT, {"send_at": "2020-01-01T00:00:00Z"}),
        ("/events", EVENT, {"on_ambiguous": "hold"}),
        ("/events", EVENT, {"priority": "high"}),
    ],
)
async def test_another_body_is_another_request_whatever_differs(
    store: Store, path: str, document: Any, changed: dict[str, Any]
) -> None:
    app = serve.build("ingest", resources(store))

    first, other = await post(app, path, document), await post(app, path, {**document, **changed})

    assert (first.status, other.status) == (202, 422)
    assert await count(store) == 1


async def test_one_key_is_used_on_one_route(store: Store) -> None:
    app = serve.build("ingest", resources(store))

    statuses = [(await post(app, path, document)).status for path, document, _ in ROUTES]

    assert statuses == [202, 422, 422]


async def test_the_key_of_another_tenant_is_another_key(store: Store) -> None:
    app = serve.build("ingest", resources(store, api_keys=SecretStr("shop:one,other:two")))

    for path, document, _ in ROUTES:
        first = await post(app, path, document, path.replace("/", ""), x_api_key="one")
        second = await post(app, path, {**document, "priority": "low"}, path.replace("/", ""), x_api_key="two")
        assert (first.status, second.status) == (202, 202)

    assert await count(store) == 2 * len(ROUTES)


async def test_without_a_key_each_request_is_new(store: Store) -> None:
    app = serve.build("ingest", resources(store))

    for path, document, _ in ROUTES:
        for _ in range(2):
            await post(app, path, document, None)

    assert await count(store) == 2 * len(ROUTES)


async def test_an_array_with_a_key_is_kept_once_item_by_item(store: Store) -> None:
    app = serve.build("ingest", resources(store))
    items = [EVENT, {**EVENT, "user_id": 2}, EVENT, {**EVENT, "id": "own"}]

    first, again = await post(app, "/events", items), await post(app, "/events", items)
    changed = await post(app, "/events", [EVENT, {**EVENT, "user_id": 3}, EVENT])
    elsewhere = await post(app, "/events", [{**EVENT, "id": "own"}], "key-2")

    assert first.document == again.document
    assert len({result["id"] for result in first.document["results"]}) == 4
    assert ["problem" in result for result in changed.document["results"]] == [False, True, False]
    assert elsewhere.document["results"][0] == first.document["results"][3]
    assert await count(store) == 4
