"""Dead letters as operators work on them: found, started over and discarded, one or many, over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest

from shared import serve
from shared.outcomes import Outcome
from shared.serve import App
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store import letters as letters_module
from shared.store.directory import User
from shared.store.letters import Letters
from tests.asgi import Answer, call, resources
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World, lines

NO_BOX = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="The mailbox does not exist", provider="scripted")
BUSY = Outcome(kind=OutcomeKind.PERMANENT, code="554", reason="the server is too busy", provider="scripted")
WHY = {"reason": "the order was called off"}


@pytest.fixture
async def world(store: Store) -> World:
    world = World(store, email=ScriptedProvider(*[NO_BOX] * 20))
    return await world.settle_in({"channels": ["email"]})


@pytest.fixture
def console(world: World) -> App:
    return serve.build("console", world.resources)


async def ask(app: App, method: str, path: str, document: Any = None, **headers: str) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return await call(app, method, path, body, {"content-type": "application/json", **headers})


async def fail(world: World, key: str, **more: Any) -> UUID:
    """Let a notification fail; return its dead letter's id."""
    notification = await world.post(key, **more)
    await world.deliver_everything()
    rows = await world.store.database.fetch(
        "SELECT id FROM dead_letters WHERE notification_id = %s AND status = 'open'", (notification,)
    )
    return UUID(str(rows[0][0]))


async def found(app: App, **query: Any) -> list[str]:
    answer = await ask(app, "GET", f"/dead-letters?{urlencode(query)}")
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.document["dead_letters"]]


async def notification_of(world: World, letter: UUID) -> UUID:
    (row,) = await world.store.database.fetch("SELECT notification_id FROM dead_letters WHERE id = %s", (letter,))
    return UUID(str(row[0]))


async def epoch_of(world: World, letter: UUID) -> int:
    return int((await world.document(await notification_of(world, letter)))["epoch"])


async def test_a_dead_letter_tells_whose_it_is_and_on_which_channels_it_was_tried(world: World, console: App) -> None:
    letter = await fail(world, "order-1")

    answer = await ask(console, "GET", f"/dead-letters/{letter}")
    listed = (await ask(console, "GET", "/dead-letters")).document["dead_letters"]

    assert answer.document == listed[0]
    told = {name: answer.document[name] for name in ("user_id", "event_type", "channels", "settled_by")}
    assert told == {"user_id": "1", "event_type": "order_shipped", "channels": ["email"], "settled_by": None}


@pytest.fixture
async def various(world: World) -> dict[str, str]:
    """Keep dead letters that differ in everything that can be asked for, an hour apart."""
    await world.store.directory.put_users(TENANT, [User(id="2", email="two@example.test")])
    inbox = {"channels": ["websocket"], "template": "nobodys"}
    await world.store.directory.put_workflow(TENANT, "order_paid", inbox)
    kept = {"plain": await fail(world, "plain")}
    world.mail.answers = [BUSY]
    kept["busy"] = await fail(world, "busy")
    world.mail.answers = [NO_BOX] * 3
    kept["of another"] = await fail(world, "of another", user="2")
    kept["inbox"] = await fail(world, "inbox", event_type="order_paid")
    kept["garbage"] = (await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", b"\xff")).id
    for number, letter in enumerate(kept.values()):
        moment = f"2026-05-04T{12 + number:02}:00:00Z"
        await world.store.database.run("UPDATE dead_letters SET created_at = %s WHERE id = %s", (moment, letter))
    return {name: str(key) for name, key in kept.items()}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["garbage", "inbox", "of another", "busy", "plain"]),
        ({"kind": "garbage"}, ["garbage"]),
        ({"kind": "notification"}, ["inbox", "of another", "busy", "plain"]),
        ({"channel": "websocket"}, ["inbox"]),
        ({"event_type": "order_paid"}, ["inbox"]),
        ({"user_id": "2"}, ["of another"]),
        ({"reason": "MAILBOX does"}, ["of another", "plain"]),
        ({"reason": "100%"}, []),
        ({"created_after": "2026-05-04T15:00:00Z"}, ["garbage", "inbox"]),
        ({"created_before": "2026-05-04T13:00:00Z"}, ["plain"]),
        ({"reason": "mailbox", "user_id": "1", "channel": "email"}, ["plain"]),
        ({"status": "replayed"}, []),
    ],
)
async def test_a_filter_finds_what_it_says_and_nothing_else(
    various: dict[str, str], console: App, query: dict[str, str], names: list[str]
) -> None:
    assert await found(console, **query) == [various[name] for name in names]


async def test_pages_follow_each_other_without_gap_or_copy(various: dict[str, str], console: App) -> None:
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        answer = await ask(console, "GET", f"/dead-letters?{urlencode({'limit': 2, **cursor})}")
        pages.append([one["id"] for one in answer.document["dead_letters"]])
        if answer.document["next_cursor"] is None:
            break
        cursor = {"cursor": answer.document["next_cursor"]}

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [key for page in pages for key in page] == list(various.values())[::-1]


async def test_a_page_that_looked_at_enough_is_short_and_says_where_the_next_begins(
    various: dict[str, str], world: World
) -> None:
    pages = Letters(world.store.database, most_looked_at=2)
    asked = letters_module.LetterFilter(user_id="1")

    first = await pages.page(TENANT, asked, limit=10)
    second = await pages.page(TENANT, asked, after=first.following, limit=10)
    third = await pages.page(TENANT, asked, after=second.following, limit=10)

    told = [[one["id"] for one in page.found] for page in (first, second, third)]
    assert told == [[various["inbox"]], [various["busy"]], [various["plain"]]]
    assert third.following is None


async def test_large_bytes_make_short_pages(world: World, console: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters_module, "MOST_BYTES", 10)
    for number in range(3):
        await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", b"12345%d" % number)

    first = (await ask(console, "GET", "/dead-letters")).document
    rest = (await ask(console, "GET", f"/dead-letters?{urlencode({'cursor': first['next_cursor']})}")).document

    assert [len(page["dead_letters"]) for page in (first, rest)] == [1, 1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "lost"}, "status"),
        ({"kind": "letter"}, "kind"),
        ({"channel": "fax"}, "channel"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"created_after": "yesterday"}, "created_after"),
        ({"reason": "a\nb"}, "reason"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_filter_is_refused_by_its_name(console: App, query: dict[str, str], field: str) -> None:
    answer = await ask(console, "GET", f"/dead-letters?{urlencode(query)}")

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_replays_of_a_set_are_each_answered_and_told_in_the_timeline(world: World, console: App) -> None:
    letters = [await fail(world, f"order-{number}") for number in range(3)]
    garbage = (await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", b"\xff")).id
    asked = [letters[0], garbage, uuid4(), letters[1], letters[0]]
    world.mail.answers = []

    answer = await ask(console, "POST", "/dead-letters/replay", {"ids": [str(key) for key in asked]})
    await world.deliver_everything()

    results = answer.document["results"]
    assert (answer.status, answer.document["left"]) == (202, None)
    assert [one["id"] for one in results] == [str(key) for key in asked]
    assert [one.get("status") or one["problem"]["status"] for one in results] == ["pending", 409, 404, "pending", 409]
    assert [await epoch_of(world, letter) for letter in letters] == [1, 1, 0]
    assert await world.status_of(UUID(results[0]["notification_id"])) is NotificationStatus.SENT
    settled = (await ask(console, "GET", f"/dead-letters/{letters[0]}")).document
    told = lines(await world.document(UUID(results[0]["notification_id"])), "replayed")
    assert (settled["status"], settled["settled_by"]) == ("replayed", "open")
    assert [line["why"] for line in told] == ["replayed by open"]


async def test_what_matches_a_filter_is_replayed_the_oldest_first_until_nothing_is_left(
    various: dict[str, str], world: World, console: App
) -> None:
    asked = {"filter": {"reason": "mailbox"}, "limit": 1}

    answers = [await ask(console, "POST", "/dead-letters/replay", asked) for _ in range(3)]
    everything = await ask(console, "POST", "/dead-letters/replay", {"filter": {}})

    told = [([one["id"] for one in a.document["results"]], a.document["left"]) for a in answers]
    assert told == [([various["plain"]], 1), ([various["of another"]], 0), ([], 0)]
    assert {one["id"] for one in everything.document["results"]} == {various["busy"], various["inbox"]}
    assert everything.document["left"] == 0
    assert await found(console) == [various["garbage"]]


async def test_what_was_settled_is_not_started_over_by_its_old_letter(world: World, console: App) -> None:
    letter = await fail(world, "order-1")
    await ask(console, "POST", f"/dead-letters/{letter}/replay")
    await world.deliver_everything()

    again = await ask(console, "POST", f"/dead-letters/{letter}/replay")
    many = await ask(console, "POST", "/dead-letters/replay", {"ids": [str(letter)]})

    assert (again.status, again.document["detail"]) == (409, "This dead letter is replayed.")
    assert many.document["results"][0]["problem"]["status"] == 409
    assert await world.status_of(await notification_of(world, letter)) is NotificationStatus.FAILED
    assert await epoch_of(world, letter) == 1


async def test_of_two_operators_at_the_same_moment_each_letter_is_settled_by_one(world: World, console: App) -> None:
    letters = [await fail(world, f"order-{number}") for number in range(8)]
    ids = [str(key) for key in letters]

    answers = await asyncio.gather(
        ask(console, "POST", "/dead-letters/replay", {"ids": ids}),
        ask(console, "POST", "/dead-letters/discard", {"ids": ids[::-1], **WHY}),
        ask(console, "POST", "/dead-letters/replay", {"filter": {}}),
        ask(console, "POST", "/dead-letters/discard", {"ids": ids, **WHY}),
    )

    done = [one["id"] for answer in answers for one in answer.document["results"] if "problem" not in one]
    assert sorted(done) == sorted(ids)
    statuses = [(await ask(console, "GET", f"/dead-letters/{key}")).document["status"] for key in ids]
    epochs = [await epoch_of(world, letter) for letter in letters]
    assert epochs == [int(status == "replayed") for status in statuses]
    assert set(statuses) <= {"replayed", "discarded"}


async def test_a_discarded_letter_says_by_whom_and_why_and_so_does_the_timeline(world: World, console: App) -> None:
    letter = await fail(world, "order-1")

    answer = await ask(console, "POST", f"/dead-letters/{letter}/discard", WHY)
    again = await ask(console, "POST", f"/dead-letters/{letter}/discard", {"reason": "another one"})
    replayed = await ask(console, "POST", f"/dead-letters/{letter}/replay")

    told = {name: answer.document[name] for name in ("status", "settled_by", "settled_reason")}
    notification = await notification_of(world, letter)
    (line,) = lines(await world.document(notification), "discarded")
    assert told == {"status": "discarded", "settled_by": "open", "settled_reason": WHY["reason"]}
    assert (again.status, replayed.status) == (409, 409)
    assert line["why"] == "its dead letter was discarded by open: the order was called off"
    assert await world.status_of(notification) is NotificationStatus.FAILED


async def test_discards_of_a_set_are_each_answered(world: World, console: App) -> None:
    letter = await fail(world, "order-1")
    garbage = (await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", b"\xff")).id
    asked = {"ids": [str(garbage), str(letter), str(uuid4()), str(letter)], **WHY}

    first = await ask(console, "POST", "/dead-letters/discard", asked)
    second = await ask(console, "POST", "/dead-letters/discard", asked)

    told = [one.get("status") or one["problem"]["status"] for one in first.document["results"]]
    assert told == ["discarded", "discarded", 404, 409]
    assert [one["problem"]["status"] for one in second.document["results"]] == [409, 409, 404, 409]
    assert await found(console) == []


@pytest.mark.parametrize(
    ("path", "document", "field"),
    [
        ("replay", {}, "body"),
        ("replay", {"ids": [], "limit": 1}, "ids"),
        ("replay", {"ids": ["nonsense"]}, "ids[0]"),
        ("replay", {"ids": [str(uuid4())], "filter": {}}, "body"),
        ("replay", {"ids": [str(uuid4())], "limit": 5}, "body"),
        ("replay", {"ids": [str(uuid4())] * 1001}, "ids"),
        ("replay", {"filter": {"status": "replayed"}}, "filter.status"),
        ("replay", {"filter": {}, "limit": 1001}, "limit"),
        ("replay", {"filter": {"tenant": "acme"}}, "filter.tenant"),
        ("discard", {"ids": [str(uuid4())]}, "reason"),
        ("discard", {"ids": [str(uuid4())], "reason": ""}, "reason"),
        ("discard", {"ids": [str(uuid4())], "reason": "a\nb"}, "reason"),
    ],
)
async def test_a_set_that_cannot_be_is_refused_by_its_field(
    console: App, path: str, document: dict[str, Any], field: str
) -> None:
    answer = await ask(console, "POST", f"/dead-letters/{path}", document)

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_another_tenant_finds_replays_and_discards_nothing_of_ours(world: World, console: App) -> None:
    letter = await fail(world, "order-1")
    process = resources(world.store, api_keys="globex:key")
    elsewhere, key = serve.build("console", process), {"x-api-key": "key"}
    many = {"ids": [str(letter)]}

    answers = [
        await ask(elsewhere, "GET", f"/dead-letters/{letter}", **key),
        await ask(elsewhere, "POST", f"/dead-letters/{letter}/replay", **key),
        await ask(elsewhere, "POST", f"/dead-letters/{letter}/discard", WHY, **key),
    ]
    sets = [
        await ask(elsewhere, "POST", "/dead-letters/replay", many, **key),
        await ask(elsewhere, "POST", "/dead-letters/discard", {**many, **WHY}, **key),
    ]
    matching = await ask(elsewhere, "POST", "/dead-letters/replay", {"filter": {}}, **key)

    assert [answer.status for answer in answers] == [404, 404, 404]
    assert [answer.document["results"][0]["problem"]["status"] for answer in sets] == [404, 404]
    assert matching.document == {"results": [], "left": 0}
    assert await found(console) == [str(letter)]
    assert await epoch_of(world, letter) == 0


async def test_what_the_broker_did_not_take_the_sweep_brings(world: World, console: App) -> None:
    letters = [await fail(world, f"order-{number}") for number in range(2)]
    world.mail.answers = []
    world.broker.refuses = True
    answer = await ask(console, "POST", "/dead-letters/replay", {"ids": [str(key) for key in letters]})
    world.broker.refuses = False

    await world.live_on()

    assert [one["status"] for one in answer.document["results"]] == ["pending", "pending"]
    statuses = [await world.status_of(await notification_of(world, letter)) for letter in letters]
    assert statuses == [NotificationStatus.SENT] * 2
    assert await world.value("epoch", await notification_of(world, letters[0]), Channel.EMAIL) == 1


async def test_why_it_was_discarded_is_forgotten_with_its_person(world: World, console: App) -> None:
    letter = await fail(world, "order-1")
    await ask(console, "POST", f"/dead-letters/{letter}/discard", {"reason": "Ada Lovelace has called"})

    erasure = await world.store.erasures.ask(TENANT, "1")
    assert erasure is not None
    await world.store.erasures.work(erasure.id)

    kept = (await ask(console, "GET", f"/dead-letters/{letter}")).document
    timeline = json.dumps((await world.document(UUID(kept["notification_id"])))["timeline"])
    assert (kept["settled_reason"], kept["status"]) == (None, "discarded")
    assert "Lovelace" not in timeline
