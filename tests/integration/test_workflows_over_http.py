"""Workflows as a client meets them: over HTTP, without a server; and from a file at the start."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from functions.directory.workflows import PAGE
from shared import serve
from shared.broker.in_process import InProcessBroker
from shared.runtime import Resources
from shared.serve import App
from shared.settings import Settings
from shared.statuses import Channel
from shared.store import Store
from shared.workflow_files import WorkflowsMalformed
from shared.workflows import DEFAULT
from tests.asgi import Answer, call, resources
from tests.integration.templating import post
from tests.world import TENANT, World

JSON, YAML = "application/json", "application/yaml"
BY_DEFAULT = DEFAULT.model_dump(mode="json")


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def send(app: App, method: str, path: str, body: Any = b"", kind: str = JSON) -> Answer:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return await call(app, method, path, raw, {"content-type": kind})


async def test_a_workflow_is_put_shown_and_deleted(directory: App) -> None:
    put = await send(directory, "PUT", "/workflows/order/shipped", {"category": "orders", "channels": ["sms", "email"]})
    shown = await send(directory, "GET", "/workflows/order/shipped")
    gone = await send(directory, "DELETE", "/workflows/order/shipped")

    assert (put.status, put.document) == (200, shown.document)
    assert shown.document["channels"] == ["sms", "email"]
    assert gone.status == 204
    assert (await send(directory, "DELETE", "/workflows/order/shipped")).status == 404


async def test_an_event_type_without_a_workflow_follows_the_default_of_its_tenant_else_ours(directory: App) -> None:
    ours = await send(directory, "GET", "/workflows/unheard_of")
    await send(directory, "PUT", "/workflows/*", {"channels": ["push"]})
    theirs = await send(directory, "GET", "/workflows/unheard_of")

    assert ours.document == {**BY_DEFAULT, "event_type": "unheard_of"}
    assert theirs.document == {**BY_DEFAULT, "event_type": "unheard_of", "channels": ["push"]}


async def test_a_workflow_decides_how_the_next_event_goes(world: World, directory: App) -> None:
    await send(directory, "PUT", "/workflows/order_shipped", {"channels": ["websocket", "email"]})

    notification = await world.post_routed()

    assert (await world.value("status", notification, Channel.WEBSOCKET)) == "queued"


async def test_a_workflow_with_a_template_that_nobody_wrote_is_refused(world: World, directory: App) -> None:
    templates = serve.build("templates", world.resources)
    early = await send(directory, "PUT", "/workflows/a", {"template": "welcome"})
    many = await send(directory, "POST", "/workflows/import", "workflows:\n  a: {template: welcome}", YAML)
    await post(templates, draft=True)
    draft = await send(directory, "PUT", "/workflows/a", {"template": "welcome"})
    await post(templates)

    assert (early.status, early.document["field"]) == (422, "template")
    assert (many.status, many.document["field"]) == (422, "workflows.a.template")
    assert draft.status == 422
    assert (await send(directory, "PUT", "/workflows/a", {"template": "welcome"})).status == 200


async def test_many_workflows_are_put_at_once_as_yaml(directory: App) -> None:
    text = 'workflows:\n  a:\n    category: news\n    channels: [email]\n  "*":\n    channels: [push]\n'

    first = await send(directory, "POST", "/workflows/import", text, YAML)
    again = await send(directory, "POST", "/workflows/import", text.replace("news", "offers"), "text/yaml")
    listed = (await send(directory, "GET", "/workflows")).document

    assert (first.status, first.document) == (200, {"event_types": ["*", "a"], "changed": 2})
    assert again.document["changed"] == 1
    assert [(one["event_type"], one["category"], one["channels"]) for one in listed["workflows"]] == [
        ("*", "general", ["push"]),
        ("a", "offers", ["email"]),
    ]
    assert listed["next_cursor"] is None


async def test_json_is_imported_as_well(directory: App) -> None:
    answer = await send(directory, "POST", "/workflows/import", {"workflows": {"a": {"channels": ["sms"]}}})

    assert (answer.status, answer.document["changed"]) == (200, 1)


async def test_of_many_workflows_all_are_kept_or_none_and_what_is_wrong_is_told_by_its_line(directory: App) -> None:
    text = "workflows:\n  good:\n    channels: [email]\n  bad:\n    channels: [pigeon]\n    colour: red\n"

    answer = await send(directory, "POST", "/workflows/import", text, YAML)

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    told = [(one["field"], one["detail"].partition(":")[0]) for one in answer.document["errors"]]
    assert told == [("workflows.bad.channels[0]", "Line 5"), ("workflows.bad.colour", "Line 6")]
    assert (await send(directory, "GET", "/workflows")).document["workflows"] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff", YAML, 400),
        (b"x" * 262_145, YAML, 413),
        (b"workflows: {}", "text/html", 415),
        (b"", YAML, 422),
        (b"{", JSON, 422),
        (b"workflows: {a: {}, a: {}}", YAML, 422),
    ],
)
async def test_a_body_that_is_none_is_refused(directory: App, body: bytes, kind: str, status: int) -> None:
    answer = await send(directory, "POST", "/workflows/import", body, kind)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("PUT", "/workflows/a%20b", {}, 422, "event_type"),
        ("PUT", "/workflows/" + "a" * 129, {}, 422, "event_type"),
        ("PUT", "/workflows/a", {"channels": ["pigeon"]}, 422, "channels[0]"),
        ("PUT", "/workflows/a", {"colour": "red"}, 422, "colour"),
        ("PUT", "/workflows/a", b"{", 400, "body"),
        ("DELETE", "/workflows/a%20b", b"", 422, "event_type"),
        ("GET", "/workflows?cursor=%20", b"", 422, "cursor"),
    ],
)
async def test_a_workflow_that_is_wrong_is_refused_by_the_name_of_its_field(
    directory: App, method: str, path: str, body: Any, status: int, field: str
) -> None:
    answer = await send(directory, method, path, body)

    assert (answer.status, answer.document["field"]) == (status, field)


async def test_a_long_list_is_read_page_by_page(world: World, directory: App) -> None:
    await world.store.directory.put_workflows(TENANT, {f"e{number:03}": {} for number in range(PAGE + 1)})

    first = (await send(directory, "GET", "/workflows")).document
    second = (await send(directory, "GET", f"/workflows?cursor={first['next_cursor']}")).document

    found = [one["event_type"] for page in (first, second) for one in page["workflows"]]
    assert (found, second["next_cursor"]) == ([f"e{number:03}" for number in range(PAGE + 1)], None)


async def test_nobody_sees_or_deletes_the_workflows_of_another_tenant(store: Store) -> None:
    await store.directory.put_workflow(TENANT, "a", {"channels": ["email"]})
    app = serve.build("directory", resources(store, api_keys="acme:k-1"))
    key = {"x-api-key": "k-1"}

    listed = await call(app, "GET", "/workflows", headers=key)
    removed = await call(app, "DELETE", "/workflows/a", headers=key)
    without = await call(app, "GET", "/workflows")
    await app.drain()

    assert (listed.document["workflows"], removed.status, without.status) == ([], 404, 401)
    assert await store.directory.workflow(TENANT, "a") == {"channels": ["email"]}


def settings_with(path: Path) -> Settings:
    return Settings(api_keys=None, host="127.0.0.1", workflows_file=str(path))


async def test_the_workflows_of_a_file_are_in_place_after_every_start(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "workflows.yaml"
    path.write_text("tenants: [default, acme]\nworkflows:\n  a:\n    channels: [sms]\n")

    for _ in range(2):
        opened = await Resources.open(settings_with(path), InProcessBroker(), database_url=database_url)
        found = [await opened.store.directory.workflow(tenant, "a") for tenant in ("default", "acme", "other")]
        await opened.close()

    assert found == [{"channels": ["sms"]}, {"channels": ["sms"]}, {}]


async def test_a_broken_file_of_workflows_ends_the_start_by_its_name_and_line(tmp_path: Path) -> None:
    path = tmp_path / "workflows.yaml"
    path.write_text("workflows:\n  a:\n    channels: [pigeon]\n")

    with pytest.raises(WorkflowsMalformed, match=r"line 3: .*workflows\.yaml: workflows\.a\.channels\[0\]"):
        await Resources.open(settings_with(path), InProcessBroker(), database_url="postgresql://nobody@127.0.0.1:1/x")
