"""Who is forgotten is nowhere in the database any more, whatever was under way, and however often it was broken off."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from psycopg import sql

from shared import serve
from shared.callback_links import Subject
from shared.outcomes import Outcome
from shared.saga import Receipt
from shared.saga.occurrences import ERASED
from shared.serve import App
from shared.statuses import Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store import Store, erasures
from shared.store.claims import Recorded
from shared.store.directory import User
from shared.store.erasures import SECOND_PASS_AFTER_SECONDS
from shared.store.fan_outs import NewFanOut
from shared.store.inbox import Mark, Shelf
from tests.asgi import Answer, call
from tests.fakes import ScriptedProvider
from tests.integration.test_inbox_store import letter
from tests.world import TENANT, World, claims_of, first_command

JSON = {"content-type": "application/json"}
ADA = User(
    id="ada",
    name="Ada Lovelace",
    email="Ada@example.test",
    phone="+491701234567",
    whatsapp="+491707654321",
    telegram="47114711",
    time_zone="Europe/Berlin",
)
TEXT = "The results of your analysis"
TELLTALE = ("Lovelace", "ada@", "4917012", "4917076", "47114711", "analysis", "device-of-hers", '"ada"', "shop/ada")
REFUSED = Outcome(
    kind=OutcomeKind.PERMANENT, code="550 5.1.1", reason="550 <ada@example.test> is unknown", provider="mail"
)


@pytest.fixture
async def directory(world: World) -> AsyncIterator[App]:
    app = serve.build("directory", world.resources)
    yield app
    await app.drain()


async def move_in(world: World) -> None:
    """Let somebody be known by everything that can be known of them."""
    await world.store.directory.put_users(TENANT, [ADA])
    await world.store.directory.put_preference(TENANT, "ada", "news", Channel.SMS, enabled=False)
    await world.store.devices.register(TENANT, "ada", provider="fcm", token="device-of-hers")
    garbage = json.dumps({"user_id": "ada", "data": {"message": TEXT}}).encode()
    await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no event", garbage)
    await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no event", b"\xff to Ada@example.test", "acme")


async def post(world: World, key: str, **more: Any) -> Any:
    return await world.post(key, user="ada", data={"message": TEXT, "name": ADA.name}, source="shop/ada", **more)


async def erase(app: App, user: str = "ada") -> Answer:
    return await call(app, "DELETE", f"/users/{user}")


async def finish(world: World) -> None:
    """Let the second pass come."""
    await world.store.database.run(
        f"UPDATE erasures SET look_at = look_at - interval '{SECOND_PASS_AFTER_SECONDS} seconds'"
    )
    await world.sweep()


async def found_in(store: Store) -> set[str]:
    """Name every column of every table that gives her away."""
    columns = await store.database.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found = set()
    for table, column, kind in columns:
        text = "encode({}, 'escape')" if kind == "bytea" else "{}::text"
        query = sql.SQL("SELECT 1 FROM {} WHERE lower(" + text + ") LIKE ANY(%s) LIMIT 1").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        async with store.database.connection() as connection:
            likes = [f"%{word.lower()}%" for word in TELLTALE]
            rows = await (await connection.execute(query, (likes,))).fetchall()
            owner = sql.SQL(
                "SELECT 1 FROM {} WHERE 'ada' = ANY(string_to_array(btrim({}::text, '{{}}'), ',')) LIMIT 1"
            ).format(sql.Identifier(table), sql.Identifier(column))
            rows += await (await connection.execute(owner)).fetchall()
        if rows:
            found.add(f"{table}.{column}")
    return found


async def test_nothing_in_any_column_of_any_table_gives_away_who_was_forgotten(world: World, directory: App) -> None:
    await move_in(world)
    world.email = ScriptedProvider(OutcomeKind.ACCEPTED, REFUSED, REFUSED)
    world.restart()
    notifications = [await post(world, f"order-{number}", collapse_key=f"shop/ada-{number}") for number in range(3)]
    await world.deliver_everything()
    waiting = await post(world, "late")
    sent = Subject(tenant=TENANT, notification_id=notifications[0], channel=Channel.EMAIL, epoch=0)
    await world.store.receipts.keep(sent, Receipt.FAILED, "<Ada@example.test> bounced", suppress=True)
    await world.store.fan_outs.keep(
        NewFanOut(id=uuid4(), tenant=TENANT, event_type="news", body_hash=b"", event="{}", user_ids=("bob", "ada"))
    )
    before = await found_in(world.store)

    answer = await erase(directory)
    await world.store.receipts.keep(sent, Receipt.READ, "read by Ada@example.test", suppress=False)
    await world.deliver_everything()
    await finish(world)
    await world.store.receipts.keep(sent, Receipt.DELIVERED, "Ada@example.test has it after all", suppress=False)
    await world.deliver_everything()

    assert {"users.email", "devices.token", "preferences.user_id", "notifications.data", "deliveries.content"} <= before
    assert {"attempts.reason", "receipts.reason", "timeline.entries", "inbox.content", "suppressions.address"} <= before
    assert {"dead_letters.body", "notifications.source", "notifications.collapse_key", "fan_outs.user_ids"} <= before
    assert await found_in(world.store) == {"dead_letters.body"}  # of another tenant
    assert (answer.status, answer.document["status"], answer.document["notifications"]) == (202, "under way", 4)
    done = (await call(directory, "GET", f"/erasures/{answer.document['id']}")).document
    assert (done["status"], done["notifications"]) == ("finished", 4)
    assert sum((await world.store.views.counts(TENANT)).values()) == 4
    assert await world.status_of(waiting) is NotificationStatus.CANCELLED


async def test_what_is_under_way_ends_and_says_why(world: World, directory: App) -> None:
    await move_in(world)
    pending, queued = await post(world, "1"), await post(world, "2")
    await world.hand([world.accepted(queued)])

    await erase(directory)
    await world.deliver_everything()
    await world.sweep()
    await world.deliver_everything()

    for notification in (pending, queued):
        document = await world.document(notification)
        assert (document["status"], document["reason"]) == ("cancelled", ERASED)
    assert world.mail.letters == []
    assert await world.dead_letters() == [] or all(one["notification_id"] is None for one in await world.dead_letters())


async def test_what_a_call_under_way_had_to_say_is_gone_after_the_second_pass(world: World, directory: App) -> None:
    await move_in(world)
    notification = await post(world, "1")
    await world.hand([world.accepted(notification)])
    command = first_command(notification)
    (claim,) = claims_of(await world.store.claims.claim(Channel.EMAIL, [command]))
    assert claim.token is not None

    await erase(directory)
    item = Recorded(command=command, token=claim.token, tenant=TENANT, outcome=REFUSED, took_seconds=1)
    await world.store.claims.record(Channel.EMAIL, [item])
    between = await found_in(world.store)
    await finish(world)

    assert "attempts.reason" in between
    assert await found_in(world.store) == {"dead_letters.body"}
    assert await world.value("status", notification) == DeliveryStatus.CANCELLED


async def test_an_erasure_that_is_broken_off_after_any_set_is_finished_by_the_sweep(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "LARGEST_SET", 2)
    await move_in(world)
    for number in range(5):
        await post(world, f"order-{number}")
    asked = await world.store.erasures.ask(TENANT, "ada")
    assert asked is not None

    for _ in range(4):
        await world.store.erasures.work(asked.id, most_sets=1)
    again = await world.store.erasures.ask(TENANT, "ada")
    await world.sweep()
    early = await world.store.erasures.get(TENANT, asked.id)
    await finish(world)

    done = await world.store.erasures.get(TENANT, asked.id)
    assert again is not None
    assert early is not None
    assert done is not None
    assert (again.id, early.finished_at) == (asked.id, None)
    assert (done.notifications, done.user_id, done.finished_at is not None) == (5, None, True)
    assert await found_in(world.store) == {"dead_letters.body"}


async def test_a_suppression_outlives_its_address_and_comes_back_with_it(world: World, directory: App) -> None:
    await move_in(world)
    twin = User(id="twin", phone=ADA.phone)
    await world.store.directory.put_users(TENANT, [twin])
    await world.store.suppressions.put(TENANT, Channel.EMAIL, str(ADA.email), "unsubscribed")
    await world.store.suppressions.put(TENANT, Channel.SMS, str(ADA.phone), "STOP")

    await erase(directory)
    after = await world.store.suppressions.listing(TENANT)
    body = json.dumps({"email": ADA.email}).encode()
    for key in ("k-other", "new"):
        await call(directory, "PUT", f"/users/{key}", body if key == "new" else b"{}", JSON)

    assert [(one.channel, one.address) for one in after] == [(Channel.SMS, ADA.phone)]  # it is somebody else's, too
    listed = await world.store.suppressions.listing(TENANT, channel=Channel.EMAIL)
    assert [one.address for one in listed] == [ADA.email]


async def test_who_comes_back_under_the_same_id_is_somebody_new(world: World, directory: App) -> None:
    await move_in(world)
    old = await post(world, "old")
    await erase(directory)
    await world.store.directory.put_users(TENANT, [ADA])

    new = await post(world, "new")
    await finish(world)
    await world.deliver_everything()

    assert await world.status_of(old) is NotificationStatus.CANCELLED
    assert await world.status_of(new) is NotificationStatus.SENT
    assert (await world.document(new))["user_id"] == "ada"


async def test_who_is_not_known_cannot_be_forgotten(world: World, directory: App) -> None:
    await move_in(world)

    unknown = await erase(directory, "nobody")
    elsewhere = await world.store.erasures.ask("acme", "ada")
    missing = [await call(directory, "GET", f"/erasures/{key}") for key in (uuid4(), "x")]

    assert (unknown.status, elsewhere, [one.status for one in missing]) == (404, None, [404, 404])
    assert await world.store.directory.user(TENANT, "ada") == ADA


async def test_an_inbox_is_forgotten_with_its_marks_and_its_numbers(world: World, directory: App) -> None:
    await move_in(world)
    notification = await post(world, "order-1")
    await world.store.inbox.put([letter(notification, user="ada")])
    await world.store.inbox.mark(TENANT, "ada", Mark.READ, [notification])

    await erase(directory)
    at_once = await world.store.inbox.page(TENANT, "ada", Shelf.ALL, before=None, limit=9)
    await finish(world)

    assert at_once == []
    assert await world.store.database.fetch("SELECT FROM inbox_cursors") == []


async def test_who_comes_back_during_the_erasure_has_an_inbox_that_counts_on(world: World, directory: App) -> None:
    await move_in(world)
    notification = await post(world, "order-1")
    await world.store.inbox.put([letter(notification, user="ada")])

    await erase(directory)
    await world.store.inbox.put([letter(uuid4(), user="ada")])
    await finish(world)
    await world.store.inbox.put([letter(uuid4(), user="ada")])

    assert [item.cursor for item in await world.store.inbox.since(TENANT, "ada", 0)] == [2, 3]
