"""A person's inbox over HTTP: listed, marked, and known to the saga."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import serve
from shared.broker.in_process import InProcessBroker
from shared.inbox.hints import read_hint
from shared.serve import App
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from tests.asgi import Answer, call
from tests.integration.test_inbox_store import letter
from tests.world import TENANT, USER, World

JSON = {"content-type": "application/json"}


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def put(store: Store, count: int) -> list[UUID]:
    """Put messages one after the other: their cursors are in the order of the list."""
    keys = [uuid4() for _ in range(count)]
    for key in keys:
        await store.inbox.put([letter(key)])
    return keys


async def listed(app: App, query: str = "", user: str = USER) -> Any:
    answer = await call(app, "GET", f"/users/{user}/inbox{query}")
    assert answer.status == 200
    return answer.document


async def say(app: App, verb: str, document: Any, user: str = USER) -> Answer:
    return await call(app, "POST", f"/users/{user}/inbox/{verb}", json.dumps(document).encode(), JSON)


async def test_pages_lead_through_the_whole_inbox_newest_first(world: World, directory: App) -> None:
    keys = await put(world.store, 5)
    found: list[Any] = []
    page = await listed(directory, "?limit=2")
    pages = [page]

    while page["next_cursor"]:
        page = await listed(directory, f"?limit=2&cursor={page['next_cursor']}")
        pages.append(page)
    found = [item for page in pages for item in page["items"]]

    assert [item["id"] for item in found] == [str(key) for key in reversed(keys)]
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    assert [(page["unread"], page["since"], page["change"]) for page in pages] == [(5, 5, 0)] * 3
    assert {name: value for name, value in found[0].items() if name not in ("id", "created_at")} == {
        "cursor": 5, "event_type": "order_shipped", "subject": "Order shipped", "message": "hello",
        "acknowledged_at": None, "read_at": None, "archived_at": None,
    }  # fmt: skip


async def test_each_status_lists_its_own(world: World, directory: App) -> None:
    one, two, three = await put(world.store, 3)
    await say(directory, "read", {"ids": [str(one)]})
    await say(directory, "archive", {"ids": [str(two)]})

    shown = {status: await listed(directory, f"?status={status}") for status in ("unread", "all", "archived")}

    assert {status: [item["id"] for item in page["items"]] for status, page in shown.items()} == {
        "unread": [str(three)], "all": [str(three), str(one)], "archived": [str(two)],
    }  # fmt: skip
    assert {page["unread"] for page in shown.values()} == {1}
    assert [item["read_at"] is None for item in shown["all"]["items"]] == [True, False]
    assert shown["archived"]["items"][0]["archived_at"] is not None


async def test_marks_say_what_they_changed_and_how_many_are_left(world: World, directory: App) -> None:
    one, two, three = [str(key) for key in await put(world.store, 3)]
    said = [
        (await say(directory, verb, {"ids": ids})).document
        for verb, ids in [
            ("read", [one, two]), ("read", [two, str(uuid4())]), ("unread", [one]), ("archive", [three]),
            ("unarchive", [three]),
        ]
    ]  # fmt: skip

    assert [(answer["changed"], answer["unread"]) for answer in said] == [(2, 1), (0, 1), (1, 2), (1, 1), (1, 2)]


async def test_everything_up_to_a_cursor_is_read_at_once(world: World, directory: App) -> None:
    await put(world.store, 4)

    some = (await say(directory, "read", {"all": True, "until": 2})).document
    rest = (await say(directory, "read", {"all": True})).document

    assert [some, rest] == [{"changed": 2, "unread": 2}, {"changed": 2, "unread": 0}]


async def test_an_inbox_of_any_length_is_read_at_once_in_sets(world: World, directory: App) -> None:
    await world.store.inbox.put([letter(uuid4()) for _ in range(1_203)])
    before = (await listed(directory))["unread"]

    answer = (await say(directory, "read", {"all": True})).document

    assert (before, answer) == (1_000, {"changed": 1_203, "unread": 0})


async def test_what_was_read_is_read_for_the_saga_too(world: World, directory: App) -> None:
    await world.store.directory.put_workflow(TENANT, "order_shipped", {"channels": ["websocket"]})
    posted = await world.post("by-socket")
    await world.deliver_everything()
    answer = await say(directory, "read", {"ids": [str(posted)]})
    await world.deliver_everything()

    document = await world.document(posted)
    assert (answer.status, await world.status_of(posted)) == (200, NotificationStatus.DELIVERED)
    assert await world.value("status", posted, Channel.WEBSOCKET) == "read"
    assert [line["what"] for line in document["timeline"]][-1] == "read"
    assert document["timeline"][-1]["why"] == "the person read it in the inbox"


async def test_an_escalation_ends_when_it_is_read(world: World, directory: App) -> None:
    escalate = {"channels": ["websocket", "email"], "strategy": "escalate", "escalate_after_seconds": 60}
    await world.store.directory.put_workflow(TENANT, "order_shipped", escalate)
    notification = await world.post()
    await world.deliver_everything()

    await say(directory, "read", {"all": True})
    await world.deliver_everything()
    await world.turn_clock(120)
    await world.sweep()
    await world.deliver_everything()

    assert (world.mail.letters, await world.status_of(notification)) == ([], NotificationStatus.DELIVERED)


async def test_a_mark_of_which_the_saga_was_not_told_is_found_by_the_sweep(world: World, directory: App) -> None:
    await world.store.directory.put_workflow(TENANT, "order_shipped", {"channels": ["websocket"]})
    notification = await world.post()
    await world.deliver_everything()
    await say(directory, "read", {"ids": [str(notification)]})

    world.lose_messages()
    await world.turn_clock(16)
    await world.sweep()
    await world.deliver_everything()

    assert await world.value("status", notification, Channel.WEBSOCKET) == "read"


async def test_whoever_listens_is_told_to_look(world: World) -> None:
    heard: list[tuple[str, str]] = []
    broker = InProcessBroker()
    await broker.start()
    await broker.listen(lambda body: heard.append(read_hint(body)))
    world.resources.broker = broker
    app = serve.build("directory", world.resources)
    (key,) = await put(world.store, 1)

    for _ in range(2):
        await say(app, "archive", {"ids": [str(key)]})
    await app.drain()
    await broker.stop()

    assert heard == [(TENANT, USER)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=new", "status"), ("?limit=0", "limit"), ("?limit=101", "limit"), ("?limit=x", "limit"),
        ("?cursor=x", "cursor"), ("?cursor=", "cursor"),
    ],
)  # fmt: skip
async def test_a_list_that_cannot_be_is_refused_by_the_name_of_the_field(
    directory: App, query: str, field: str
) -> None:
    answer = await call(directory, "GET", f"/users/{USER}/inbox{query}")

    assert (answer.status, answer.document["field"]) == (422, field)


@pytest.mark.parametrize(
    ("verb", "document", "field"),
    [
        ("read", {}, "body"),
        ("read", {"ids": [str(uuid4())], "all": True}, "body"),
        ("read", {"ids": [str(uuid4())], "until": 3}, "body"),
        ("read", {"all": False}, "all"),
        ("read", {"all": True, "until": -1}, "until"),
        ("read", {"ids": ["7"]}, "ids[0]"),
        ("read", {"ids": []}, "ids"),
        ("archive", {"ids": [str(uuid4())] * 501}, "ids"),
        ("archive", {"all": True}, "ids"),
        ("unread", {"ids": [str(uuid4())], "why": "x"}, "why"),
    ],
)
async def test_a_mark_that_cannot_be_is_refused_by_the_name_of_the_field(
    directory: App, verb: str, document: Any, field: str
) -> None:
    answer = await say(directory, verb, document)

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_an_inbox_of_nobody_is_empty(directory: App) -> None:
    page = await listed(directory, user="nobody")

    assert page == {"items": [], "next_cursor": None, "unread": 0, "since": 0, "change": 0}
