"""Lists of notifications, as clients ask for them: over HTTP, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from shared import serve
from shared.outcomes import Outcome
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.listing import Filter, Listing, Place, page_statement, values_of
from shared.store.migrating import migrate
from tests.asgi import Answer, call, resources
from tests.postgres import PostgresForTests
from tests.world import TENANT, World

ADDRESS = "/api/v1/notifications"
REFUSED = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="no such box", provider="scripted")


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


async def ask(app: App, **query: Any) -> Answer:
    return await call(app, "GET", f"{ADDRESS}?{urlencode(query)}")


async def ids(app: App, **query: Any) -> list[str]:
    answer = await ask(app, **query)
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.document["notifications"]]


async def walk(app: App, **query: Any) -> list[str]:
    """Follow the cursors to the end."""
    found: list[str] = []
    for _ in range(20):
        answer = await ask(app, **query)
        found += [one["id"] for one in answer.document["notifications"]]
        if answer.document["next_cursor"] is None:
            return found
        query["cursor"] = answer.document["next_cursor"]
    raise AssertionError("the pages do not end")


async def test_a_list_tells_the_newest_first_and_where_each_stands(world: World, ingest: App) -> None:
    first = await world.post("order-1")
    await world.deliver_everything()
    second = await world.post("order-2")

    document = (await ask(ingest)).document

    assert document["next_cursor"] is None
    told = [(one["id"], one["status"], one["deliveries"]) for one in document["notifications"]]
    assert told == [
        (str(second), "pending", []),
        (str(first), "sent", [{"channel": "email", "status": "sent"}]),
    ]


async def test_pages_follow_each_other_without_gap_or_copy_while_more_is_posted(world: World, ingest: App) -> None:
    posted = [str(await world.post(f"order-{number}")) for number in range(7)]

    first = (await ask(ingest, limit=3)).document
    await world.post("order-meanwhile")
    rest = await walk(ingest, limit=3, cursor=first["next_cursor"])

    assert [one["id"] for one in first["notifications"]] + rest == posted[::-1]


async def test_what_was_accepted_at_the_same_moment_stands_in_one_order_on_every_page(
    world: World, ingest: App
) -> None:
    posted = [str(await world.post(f"order-{number}")) for number in range(5)]
    await world.store.database.run("UPDATE notifications SET created_at = '2026-05-04T12:00:00Z'")

    assert await walk(ingest, limit=2) == sorted(posted, reverse=True)


@pytest.fixture
async def various(world: World) -> dict[str, str]:
    """Post notifications that differ in everything that can be asked for, an hour apart."""
    posts: dict[str, dict[str, Any]] = {
        "plain": {},
        "of another": {"user": "2"},
        "on websocket": {"prefers": Channel.WEBSOCKET},
        "paid": {"event_type": "order_paid"},
        "correlated": {},
    }
    found = {}
    for number, (name, more) in enumerate(posts.items()):
        key = await world.post(name, **more)
        found[name] = str(key)
        moment = f"2026-05-04T{12 + number:02}:00:00Z"
        await world.store.database.run("UPDATE notifications SET created_at = %s WHERE id = %s", (moment, key))
    query = "UPDATE notifications SET correlation_id = 'trace-7' WHERE id = %s"
    await world.store.database.run(query, (found["correlated"],))
    await world.deliver_everything()
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"user_id": "2"}, ["of another"]),
        ({"user_id": "nobody"}, []),
        ({"status": "failed"}, ["of another"]),
        ({"status": "sent", "user_id": "1", "limit": 1}, ["correlated", "paid", "on websocket", "plain"]),
        ({"channel": "websocket"}, ["on websocket"]),
        ({"event_type": "order_paid"}, ["paid"]),
        ({"correlation_id": "trace-7"}, ["correlated"]),
        ({"correlation_id": "trace-7", "user_id": "2"}, []),
        ({"created_after": "2026-05-04T15:00:00Z"}, ["correlated", "paid"]),
        ({"created_before": "2026-05-04T13:00:00Z"}, ["plain"]),
        (
            {"created_after": "2026-05-04T14:00:00+01:00", "created_before": "2026-05-04T14:30:00Z", "limit": 1},
            ["on websocket", "of another"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
async def test_a_filter_leaves_what_it_asks_for(
    ingest: App, various: dict[str, str], query: dict[str, Any], names: list[str]
) -> None:
    assert await walk(ingest, **query) == [various[name] for name in names]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("cursor=nonsense", "cursor"),
        ("cursor=" + "A" * 32 + "!", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=%C3%A9", "cursor"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("status=lost", "status"),
        ("channel=pigeon", "channel"),
        ("created_after=yesterday", "created_after"),
        ("created_before=2026-05-04", "created_before"),
        ("user_id=", "user_id"),
        ("user_id=%00", "user_id"),
        ("correlation_id=%ED%A0%80%00", "correlation_id"),
        ("event_type=" + "x" * 257, "event_type"),
        ("status=sent&status=failed", "status"),
        ("stauts=sent", "stauts"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_its_name(ingest: App, query: str, field: str) -> None:
    answer = await call(ingest, "GET", f"{ADDRESS}?{query}")

    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.document["field"] == field


async def test_another_tenant_sees_nothing_and_a_cursor_of_ours_shows_it_nothing(world: World, ingest: App) -> None:
    for number in range(3):
        await world.post(f"order-{number}")
    cursor = (await ask(ingest, limit=1)).document["next_cursor"]
    other = serve.build("ingest", resources(world.store, api_keys="other:right"))

    answers = [
        await call(other, "GET", f"{ADDRESS}?{query}", headers={"x-api-key": "right"})
        for query in ("", f"cursor={cursor}", "user_id=1")
    ]

    assert [answer.document["notifications"] for answer in answers] == [[], [], []]


async def test_a_page_looks_at_a_bounded_number_of_rows_and_says_where_to_go_on(world: World) -> None:
    wanted = [await world.post("order-first")]
    await world.deliver_everything()
    for number in range(5):
        await world.post(f"order-{number}", user="2")
    listing, asked = Listing(world.store.database, most_looked_at=2), Filter(event_type="order_shipped")
    sent = Filter(event_type="order_shipped", channel=Channel.EMAIL)

    first = await listing.page(TENANT, sent, limit=10)
    second = await listing.page(TENANT, sent, after=first.following, limit=10)
    third = await listing.page(TENANT, sent, after=second.following, limit=10)
    last = await listing.page(TENANT, sent, after=third.following, limit=10)

    assert [len(page.found) for page in (first, second, third, last)] == [0, 0, 1, 0]
    assert [one.id for one in third.found] == wanted
    assert last.following is None
    assert len((await listing.page(TENANT, asked, limit=10)).found) == 2


SHAPES = [
    (Filter(), "notifications_by_time"),
    (Filter(user_id="1"), "notifications_of_user"),
    (Filter(user_id="1", channel=Channel.EMAIL), "notifications_of_user"),
    (Filter(correlation_id="trace-7"), "notifications_that_correlate"),
    (Filter(event_type="order_shipped"), "notifications_by_time"),
]


async def untouched(url: str) -> None:
    """Make a database of its own kind: what others left and took away again would weigh on the choice of a plan."""
    await migrate(url)


@pytest.fixture
async def empty_store(postgres: PostgresForTests) -> AsyncIterator[Store]:
    opened = Store(await postgres.fresh_database(untouched))
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(("asked", "index"), SHAPES, ids=[index for _, index in SHAPES])
async def test_a_page_is_read_from_one_index_in_its_order(empty_store: Store, asked: Filter, index: str) -> None:
    after = Place(datetime(2026, 5, 4, tzinfo=UTC), uuid4())
    values = values_of(TENANT, asked, after, limit=50, most=5_000)

    rows = await empty_store.database.fetch(f"EXPLAIN {page_statement(asked, after)}", values)

    plan = "\n".join(row[0] for row in rows)
    assert f"Backward using {index} on notifications" in plan
    assert "Sort" not in plan
    assert [line for line in plan.splitlines() if "Index Cond" in line and "ROW(created_at, id) <" in line]
