"""API keys that a tenant makes for itself: made, shown once, used, rotated, revoked, and known everywhere soon."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared import serve
from shared.access import SCOPES, Access
from shared.auth import key_book
from shared.auth.key_book import KeyBook
from shared.auth.key_format import is_key, make_key
from shared.errors import DatabaseUnavailable
from shared.runtime import Resources
from shared.serve import App
from shared.store import Store
from tests.asgi import Answer, call, resources

ROOT = {"x-api-key": "root-key"}
OTHER = {"x-api-key": "other-key"}


@pytest.fixture
async def process(store: Store) -> AsyncIterator[Resources]:
    opened = resources(store, api_keys="acme:root-key,globex:other-key")
    yield opened
    await opened.gate.close()


@pytest.fixture
def app(process: Resources) -> App:
    return serve.build("access", process)


@pytest.fixture
def console(process: Resources) -> App:
    return serve.build("console", process)


async def ask(app: App, method: str, path: str, document: Any = None, headers: dict[str, str] = ROOT) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return await call(app, method, path, body, {"content-type": "application/json", **headers})


async def make(app: App, *scopes: Access, **more: Any) -> dict[str, Any]:
    answer = await ask(app, "POST", "/keys", {"name": "shop", "scopes": list(scopes or [Access.READ]), **more})
    assert answer.status == 201
    made: dict[str, Any] = answer.document
    return made


def bearing(made: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {made['key']}"}


async def letters(console: App, made: dict[str, Any]) -> int:
    """Read something with a key; return the status of the answer."""
    return (await ask(console, "GET", "/dead-letters", headers=bearing(made))).status


async def test_a_key_opens_what_its_scopes_say_and_nothing_else(app: App, console: App) -> None:
    made = await make(app, Access.READ)

    read = await ask(console, "GET", "/dead-letters", headers=bearing(made))
    changed = await ask(console, "DELETE", "/suppressions/sms/+4915112345678", headers=bearing(made))
    administered = await ask(app, "GET", "/keys", headers=bearing(made))

    assert is_key(made["key"])
    assert (read.status, changed.status, administered.status) == (200, 403, 403)


async def test_a_key_is_shown_once_and_kept_nowhere(app: App, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = await make(app, *SCOPES)

    listed = await ask(app, "GET", "/keys")
    shown = await ask(app, "GET", f"/keys/{made['id']}")
    kept = await store.database.fetch("SELECT api_keys::text, encode(hash, 'escape') FROM api_keys")

    assert shown.document == {name: value for name, value in made.items() if name != "key"}
    assert listed.document == {"keys": [shown.document], "next_cursor": None}
    assert made["key"] not in repr(kept) + caplog.text
    assert made["created_by"].startswith("key:")


async def test_what_was_made_is_not_kept_by_a_cache_on_the_way(app: App) -> None:
    answer = await ask(app, "POST", "/keys", {"name": "shop", "scopes": ["read"]})

    assert answer.headers["cache-control"] == "no-store"


async def test_keys_are_listed_in_pages_the_newest_first(
    app: App, console: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.access.api.PAGE", 2)
    made = [(await make(app))["id"] for _ in range(3)]

    first = (await ask(app, "GET", "/keys")).document
    second = (await ask(app, "GET", f"/keys?cursor={first['next_cursor']}")).document

    assert [one["id"] for one in first["keys"] + second["keys"]] == made[::-1]
    assert second["next_cursor"] is None


async def test_a_key_that_was_revoked_is_refused_at_once_where_it_was(app: App, console: App) -> None:
    made = await make(app, Access.READ)
    before = await letters(console, made)

    answers = [await ask(app, "DELETE", f"/keys/{made['id']}") for _ in range(2)]

    assert (before, await letters(console, made)) == (200, 401)
    assert [answer.status for answer in answers] == [204, 204]
    assert (await ask(app, "GET", f"/keys/{made['id']}")).document["status"] == "revoked"


async def test_a_rotated_key_is_good_for_its_grace_beside_the_new_one(app: App, console: App, store: Store) -> None:
    old = await make(app, Access.READ, rate_limit="5/s")

    answer = await ask(app, "POST", f"/keys/{old['id']}/rotate", {"grace_seconds": 3600})
    new = answer.document
    during = [await letters(console, one) for one in (old, new)]
    shown = (await ask(app, "GET", f"/keys/{old['id']}")).document
    await store.database.run("UPDATE api_keys SET expires_at = expires_at - interval '1 hour'")

    assert answer.status == 201
    assert (new["name"], new["scopes"], new["rate_limit"], new["expires_at"]) == ("shop", ["read"], "5/s", None)
    assert (shown["status"], shown["replaced_by"]) == ("rotated", new["id"])
    assert during == [200, 200]
    assert (await ask(app, "GET", f"/keys/{old['id']}")).document["status"] == "expired"


async def test_without_grace_the_old_key_ends_with_its_rotation(app: App, console: App) -> None:
    old = await make(app, Access.READ)
    await letters(console, old)

    new = (await ask(app, "POST", f"/keys/{old['id']}/rotate", {"grace_seconds": 0})).document

    assert [await letters(console, one) for one in (old, new)] == [401, 200]


async def test_grace_never_makes_a_key_live_longer_than_it_would(app: App) -> None:
    ends_at = datetime.now(UTC) + timedelta(minutes=5)
    old = await make(app, expires_at=ends_at.isoformat())

    new = (await ask(app, "POST", f"/keys/{old['id']}/rotate")).document

    shown = (await ask(app, "GET", f"/keys/{old['id']}")).document
    assert datetime.fromisoformat(shown["expires_at"]) == datetime.fromisoformat(new["expires_at"]) == ends_at


async def test_only_an_active_key_can_be_rotated(app: App) -> None:
    old = await make(app)
    new = (await ask(app, "POST", f"/keys/{old['id']}/rotate")).document
    await ask(app, "DELETE", f"/keys/{new['id']}")

    twice = await ask(app, "POST", f"/keys/{old['id']}/rotate")
    revoked = await ask(app, "POST", f"/keys/{new['id']}/rotate")

    assert (twice.status, revoked.status) == (409, 409)
    assert len((await ask(app, "GET", "/keys")).document["keys"]) == 2


async def test_a_key_ends_when_it_expires_however_well_it_is_remembered(
    store: Store, process: Resources, app: App
) -> None:
    made = await make(app)
    await store.database.run("UPDATE api_keys SET expires_at = clock_timestamp() + interval '2 seconds'")
    time = [0.0]
    book = KeyBook(store.keys, None, clock=lambda: time[0])

    before = await book.find(made["key"])
    time[0] = 2.1
    await store.database.run("UPDATE api_keys SET expires_at = expires_at - interval '2 seconds'")

    assert before is not None
    assert await book.find(made["key"]) is None


async def test_a_key_that_was_revoked_elsewhere_stops_within_seconds(
    app: App, another_store: Store, process: Resources
) -> None:
    made, time = await make(app), [0.0]
    elsewhere = KeyBook(another_store.keys, None, clock=lambda: time[0])
    before = await elsewhere.find(made["key"])

    await ask(app, "DELETE", f"/keys/{made['id']}")
    remembered = await elsewhere.find(made["key"])
    time[0] = key_book.FRESH_SECONDS
    after = await elsewhere.find(made["key"])
    await elsewhere.close()

    assert (before, remembered) == (remembered, before)
    assert before is not None
    assert after is None


async def test_a_key_that_nobody_has_is_remembered_too_and_found_once_it_is_made(store: Store) -> None:
    time = [0.0]
    asking = CountingKeys(store)
    book = KeyBook(asking, None, clock=lambda: time[0])  # type: ignore[arg-type]
    nobodys = make_key()

    found = [await book.find(nobodys) for _ in range(3)]
    malformed = await book.find(nobodys[:-1] + "!")

    assert found == [None, None, None]
    assert malformed is None
    assert asking.count == 1


class CountingKeys:
    """The stored keys, and how often they were asked for."""

    def __init__(self, store: Store) -> None:
        self._keys = store.keys
        self.count = 0

    async def find(self, hashes: Any) -> Any:
        self.count += 1
        return await self._keys.find(hashes)

    async def note_use(self, ids: Any) -> None:
        await self._keys.note_use(ids)


async def test_many_requests_at_once_ask_for_their_key_together(app: App, store: Store) -> None:
    made, asking = await make(app), CountingKeys(store)
    book = KeyBook(asking, None)  # type: ignore[arg-type]

    found = await asyncio.gather(*(book.find(made["key"]) for _ in range(100)), book.find(make_key()))

    assert [caller is not None for caller in found] == [True] * 100 + [False]
    assert asking.count == 1


async def test_a_flood_of_keys_that_nobody_has_is_sent_away_and_takes_no_memory(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_book, "MOST_WAITING", 10)
    book = KeyBook(store.keys, None)

    answers = await asyncio.gather(*(book.find(make_key()) for _ in range(50)), return_exceptions=True)

    assert answers.count(None) == 10
    assert sum(isinstance(answer, DatabaseUnavailable) for answer in answers) == 40


async def test_what_is_remembered_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_book, "MOST_REMEMBERED", 3)
    book = KeyBook(store.keys, None)

    for _ in range(5):
        await book.find(make_key())

    assert len(book._entries) == 3


async def test_with_the_database_away_a_key_that_is_known_goes_on_and_one_that_is_not_is_for_later(
    app: App, another_store: Store, process: Resources
) -> None:
    made, time = await make(app), [0.0]
    book = KeyBook(another_store.keys, None, clock=lambda: time[0])
    before = await book.find(made["key"])
    await book.close()
    await another_store.close()
    away = KeyBook(another_store.keys, None, clock=lambda: time[0])
    away._entries = book._entries

    known = await away.find(made["key"])
    with pytest.raises(DatabaseUnavailable):
        await away.find(make_key())
    time[0] = key_book.FRESH_SECONDS
    with pytest.raises(DatabaseUnavailable):
        await away.find(made["key"])

    assert known == before
    assert known is not None


async def test_with_the_database_away_an_unknown_key_is_answered_503_and_never_401(away: Store) -> None:
    console = serve.build("console", resources(away, api_keys="acme:root-key"))

    answer = await ask(console, "GET", "/dead-letters", headers={"x-api-key": make_key()})

    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


async def test_the_last_use_of_a_key_is_noted_once_a_minute_by_whoever_is_first(app: App, store: Store) -> None:
    made, time = await make(app), [0.0]
    books = [KeyBook(store.keys, None, clock=lambda: time[0]) for _ in range(2)]

    for book in books:
        await book.find(made["key"])
        await book.close()
    first = (await ask(app, "GET", f"/keys/{made['id']}")).document["last_used_at"]
    ((transaction,),) = await store.database.fetch("SELECT xmin::text FROM api_keys")
    await books[0].find(made["key"])
    ((after,),) = await store.database.fetch("SELECT xmin::text FROM api_keys")

    assert first is not None
    assert transaction == after


async def test_the_command_line_makes_a_first_key(database_url: str, console: App) -> None:
    command = ["keys", "create", "--tenant", "globex", "--name", "first", "--scope", "read", "--scope", "admin"]

    done = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infrastructure.cli", *command),
        env={"DATABASE_URL": database_url, "PATH": ""},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(done.communicate(), 60)

    key = said.decode().strip()
    assert done.returncode == 0
    assert (await ask(console, "GET", "/dead-letters", headers={"x-api-key": key})).status == 200
    assert (await ask(console, "GET", "/dead-letters", headers={"x-api-key": key[:-1] + "!"})).status == 401


IMPOSSIBLE = [
    ({"scopes": ["read"]}, "name"),
    ({"name": "", "scopes": ["read"]}, "name"),
    ({"name": "a\nb", "scopes": ["read"]}, "name"),
    ({"name": "shop", "scopes": []}, "scopes"),
    ({"name": "shop", "scopes": ["person"]}, "scopes"),
    ({"name": "shop", "scopes": ["public"]}, "scopes"),
    ({"name": "shop", "scopes": ["read"], "rate_limit": "fast"}, "rate_limit"),
    ({"name": "shop", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"name": "shop", "scopes": ["read"], "expires_at": "2090-01-01T00:00:00"}, "expires_at"),
    ({"name": "shop", "scopes": ["read"], "tenant": "globex"}, "tenant"),
    ({"name": "shop", "scopes": ["read"], "key": "mine"}, "key"),
]


async def test_a_key_that_cannot_be_is_refused_by_its_field(app: App) -> None:
    answers = [await ask(app, "POST", "/keys", document) for document, _ in IMPOSSIBLE]

    assert {answer.status for answer in answers} == {422}
    assert [answer.document["field"].partition("[")[0] for answer in answers] == [field for _, field in IMPOSSIBLE]


async def test_a_key_that_is_not_there_is_not_found(app: App) -> None:
    asked = [("GET", ""), ("DELETE", ""), ("POST", "/rotate")]

    answers = [
        await ask(app, method, f"/keys/{key_id}{more}") for key_id in ("nonsense", uuid4()) for method, more in asked
    ]

    assert {answer.status for answer in answers} == {404}


async def test_another_tenants_keys_are_not_there(app: App, console: App) -> None:
    made = await make(app, Access.READ)

    answers = [
        await ask(app, "GET", f"/keys/{made['id']}", headers=OTHER),
        await ask(app, "DELETE", f"/keys/{made['id']}", headers=OTHER),
        await ask(app, "POST", f"/keys/{made['id']}/rotate", {}, headers=OTHER),
    ]
    listed = await ask(app, "GET", "/keys", headers=OTHER)
    behind = await ask(app, "GET", f"/keys?cursor={made['id']}", headers=OTHER)

    assert [answer.status for answer in answers] == [404, 404, 404]
    assert listed.document["keys"] == behind.document["keys"] == []
    assert await letters(console, made) == 200
