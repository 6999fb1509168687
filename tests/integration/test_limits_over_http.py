"""Limits as clients meet them: what is left on every answer, 429 when nothing is, and one caller never another's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import serve
from shared.auth.key_format import make_key
from shared.runtime import Resources
from shared.serve import App
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.signers import SECRET, signed

ROOT = {"x-api-key": "root-key"}
DATA = {"user_id": "7", "message": "It is paid."}
BATCH = "application/cloudevents-batch+json"


@pytest.fixture
async def process(store: Store) -> AsyncIterator[Resources]:
    limits = {"rate_limit_per_key": "4/h", "rate_limit_per_user": "2/h"}
    opened = resources(store, api_keys="acme:root-key,globex:other-key", jwt_secret=SECRET, **limits)
    yield opened
    await opened.gate.close()


@pytest.fixture
def ingest(process: Resources) -> App:
    return serve.build("ingest", process)


@pytest.fixture
def console(process: Resources) -> App:
    return serve.build("console", process)


async def read(app: App, headers: dict[str, str] = ROOT, path: str = "/dead-letters") -> Answer:
    return await call(app, "GET", path, b"", headers)


async def post(app: App, count: int, key: str = "root-key") -> Answer:
    """Post a batch of so many events."""
    events = [
        {"specversion": "1.0", "id": str(number), "source": "/shop", "type": "paid", "data": DATA}
        for number in range(count)
    ]
    return await call(app, "POST", "/events", json.dumps(events).encode(), {"content-type": BATCH, "x-api-key": key})


async def test_every_answer_says_what_is_left_and_then_it_is_429(console: App) -> None:
    paths = ["/dead-letters", "/dead-letters/nothing", "/suppressions?channel=x", "/dead-letters", "/dead-letters"]

    answers = [await read(console, path=path) for path in paths]

    assert [answer.status for answer in answers] == [200, 404, 422, 200, 429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=4;w=3600'}
    assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=3", "r=2", "r=1", "r=0", "r=0"]
    assert answers[-1].headers["retry-after"] == "900"
    assert answers[-1].headers["content-type"] == "application/problem+json"
    assert answers[-1].document["title"] == "Too many requests"


async def test_one_limit_is_for_all_functions_of_a_process_and_for_one_key_alone(console: App, ingest: App) -> None:
    for _ in range(4):
        await read(console)

    here, elsewhere = await read(console), await post(ingest, 1)
    another = await read(console, {"x-api-key": "other-key"})

    assert (here.status, elsewhere.status, another.status) == (429, 429, 200)


async def test_a_batch_counts_as_many_calls_as_it_has_events(ingest: App, store: Store) -> None:
    answers = [await post(ingest, count) for count in (3, 2, 1)]

    ((kept,),) = await store.database.fetch("SELECT count(*) FROM notifications")
    assert [answer.status for answer in answers] == [202, 429, 429]
    assert kept == 3


async def test_a_batch_that_is_more_than_a_whole_period_holds_goes_through_when_nothing_else_did(ingest: App) -> None:
    answers = [await post(ingest, count) for count in (50, 1)]

    assert [answer.status for answer in answers] == [202, 429]


async def test_a_batch_is_told_to_come_again_when_all_of_it_may(ingest: App) -> None:
    first, second = await post(ingest, 2), await post(ingest, 3)

    assert (first.status, second.status) == (202, 429)
    assert second.headers["retry-after"] == "1800"  # three are used, and it needs three of four


async def test_a_key_may_have_a_limit_of_its_own_or_none(process: Resources, console: App) -> None:
    access = serve.build("access", process)
    made = []
    for rate in ("1/h", "off", None):
        document: dict[str, Any] = {"name": "shop", "scopes": ["read"], "rate_limit": rate}
        headers = {"content-type": "application/json", **ROOT}
        made.append((await call(access, "POST", "/keys", json.dumps(document).encode(), headers)).document["key"])

    statuses = [[(await read(console, {"x-api-key": key})).status for _ in range(6)] for key in made]

    assert [row.count(200) for row in statuses] == [1, 6, 4]
    assert "ratelimit" not in (await read(console, {"x-api-key": made[1]})).headers


async def test_a_person_has_a_limit_that_no_other_person_uses_up(process: Resources) -> None:
    directory = serve.build("directory", process)

    statuses = {
        user: [
            (await read(directory, {"authorization": f"Bearer {signed(sub=user)}"}, f"/users/{user}")).status
            for _ in range(3)
        ]
        for user in ("7", "8")
    }

    assert statuses == {"7": [404, 404, 429], "8": [404, 404, 429]}


async def test_who_is_unknown_uses_up_nobodys_limit_and_refusals_are_counted(process: Resources, console: App) -> None:
    for _ in range(10):
        await read(console, {"x-api-key": make_key()})
    await read(console, {"authorization": f"Bearer {signed(sub='7')}"})

    counted = process.metrics.registry.get_sample_value
    assert (await read(console)).status == 200
    assert counted("carillon_calls_refused_total", {"status": "401"}) == 10
    assert counted("carillon_calls_refused_total", {"status": "403"}) == 1


async def test_with_redis_away_calls_go_on(store: Store) -> None:
    process = resources(
        store, api_keys="acme:root-key", rate_limit_per_key="2/h", redis_url="redis://:SECRET@127.0.0.1:1/0"
    )
    console = serve.build("console", process)

    statuses = [(await read(console)).status for _ in range(3)]
    await process.gate.close()

    assert statuses == [200, 200, 429]
    assert "SECRET" not in repr(process.settings)
