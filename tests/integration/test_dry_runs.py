"""Dry runs: what a replay would do is told, nothing is done; and the replay that follows does what was told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from shared import serve
from shared.contact_policy import ContactPolicy
from shared.outcomes import Outcome
from shared.saga import Why
from shared.serve import App
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.contacts import Preferences
from shared.store.directory import User
from tests.asgi import Answer, call, resources
from tests.fakes import ScriptedProvider
from tests.integration.isolation import belongings
from tests.world import ADDRESS, TENANT, USER, World

NO_BOX = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="The mailbox does not exist", provider="scripted")
BOTH = {"channels": ["email", "websocket"]}
MAIL = {"channels": ["email"]}
CAPPED = ContactPolicy.model_validate({"caps": [{"channel": "email", "most": 1, "per": "hour"}]})

Situation = Callable[[World], Awaitable[None]]


@pytest.fixture
async def world(store: Store) -> World:
    inbox = ScriptedProvider(NO_BOX, name="inbox")
    return await World(store, email=ScriptedProvider(NO_BOX), websocket=inbox).settle_in(BOTH)


@pytest.fixture
def console(world: World) -> App:
    return console_of(world)


def console_of(world: World, mail_servers: str = "smtp://127.0.0.1:1?name=scripted") -> App:
    """Open the console in a process that knows the mail server by its name."""
    update = {"smtp_url": SecretStr(mail_servers)}
    world.resources.settings = world.resources.settings.model_copy(update=update)
    return serve.build("console", world.resources)


async def ask(app: App, path: str, document: Any = None, **headers: str) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return await call(app, "POST", f"/dead-letters/{path}", body, {"content-type": "application/json", **headers})


async def fail(world: World, key: str = "order-1", **more: Any) -> tuple[UUID, UUID]:
    """Let a notification fail on both channels; return it and its dead letter, with providers that are well again."""
    notification = await world.post(key, **more)
    await world.deliver_everything()
    (row,) = await world.store.database.fetch("SELECT id FROM dead_letters WHERE notification_id = %s", (notification,))
    return notification, UUID(str(row[0]))


async def dry_run(app: App, letter: UUID) -> dict[str, Any]:
    answer = await ask(app, f"{letter}/dry-run")
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store"), answer.body
    document: dict[str, Any] = answer.document
    return document


def told(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {step["channel"]: (step["verdict"], step["why"]) for step in document["steps"]}


async def nothing_has_changed(_: World) -> None:
    """Leave everything as it is."""


async def address_suppressed(world: World) -> None:
    await world.store.suppressions.put(TENANT, Channel.EMAIL, ADDRESS, "bounced")


async def mail_opted_out(world: World) -> None:
    await world.store.directory.put_preference(TENANT, USER, "*", Channel.EMAIL, enabled=False)


async def all_opted_out(world: World) -> None:
    for channel in (Channel.EMAIL, Channel.WEBSOCKET):
        await world.store.directory.put_preference(TENANT, USER, "*", channel, enabled=False)


async def user_deleted(world: World) -> None:
    await world.store.database.run("DELETE FROM users WHERE tenant = %s AND id = %s", (TENANT, USER))


async def template_gone(world: World) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {**BOTH, "template": "nobodys"})


async def mail_without_words(world: World) -> None:
    """Let a template have words for the inbox alone, and ask for a variable in those for mails that nobody gives."""
    words = {"name": "shipped", "contents": {"email": {"en": {"body": "{{ order.number }}"}}}}
    words["contents"]["websocket"] = {"en": {"body": "It left."}}  # type: ignore[index]
    await put_template(world, words)
    await world.store.directory.put_workflow(TENANT, "*", {**BOTH, "template": "shipped"})


async def put_template(world: World, words: dict[str, Any]) -> None:
    app = serve.build("templates", world.resources)
    contents, name = words["contents"], words["name"]
    for channel, languages in contents.items():
        for language, one in languages.items():
            document = {"name": name, "channel": channel, "language": language, **one}
            body = json.dumps(document).encode()
            answer = await call(app, "POST", "/templates", body, {"content-type": "application/json"})
            assert answer.status == 201, answer.body
    await app.drain()


async def breaker_opened(world: World) -> None:
    for _ in range(5):
        await world.store.breakers.fail(TENANT, "scripted", None)
    world.restart()  # each process remembers a breaker for a second


async def breaker_to_be_probed(world: World) -> None:
    await breaker_opened(world)
    await world.store.database.run("UPDATE breakers SET opened_until = clock_timestamp() - interval '1 second'")


async def quiet_now(world: World) -> None:
    now = datetime.now(UTC)
    hours = {
        "from": f"{now - timedelta(hours=2):%H:%M}",
        "to": f"{now + timedelta(hours=2):%H:%M}",
        "channels": ["email"],
    }
    said = Preferences(quiet_hours=hours, time_zone="UTC")
    assert await world.store.contacts.put_preferences(TENANT, USER, said)


async def cap_used_up(world: World) -> None:
    await world.store.contacts.put_policy(TENANT, CAPPED)
    world.mail.answers = []
    await world.store.directory.put_workflow(TENANT, "order_paid", MAIL)
    await world.post("another", event_type="order_paid")
    await world.deliver_everything()


async def mail_alone(world: World) -> None:
    await world.store.directory.put_workflow(TENANT, "*", MAIL)


async def all_at_once(world: World) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {**BOTH, "strategy": "all"})


async def collected(world: World) -> None:
    await world.store.directory.put_workflow(TENANT, "*", {**BOTH, "digest": {"every": 3600}})


def together(*situations: Situation) -> Situation:
    """Let several things happen."""

    async def happen(world: World) -> None:
        for situation in situations:
            await situation(world)

    return happen


NO_VARIABLE = "template 'shipped': 'order' is undefined"
FIRST, FALLBACK = "first", "fallback"
SITUATIONS: dict[str, tuple[Situation, str, dict[str, str], list[str]]] = {
    "nothing has changed": (nothing_has_changed, "send", {"email": FIRST, "websocket": FALLBACK}, []),
    "suppressed": (address_suppressed, "send", {"email": Why.SUPPRESSED, "websocket": FIRST}, []),
    "suppressed, and no other": (
        together(address_suppressed, mail_alone), "skip", {"email": Why.SUPPRESSED}, [],
    ),
    "opted out": (mail_opted_out, "send", {"email": Why.OPTED_OUT, "websocket": FIRST}, []),
    "opted out of all": (all_opted_out, "skip", {"email": Why.OPTED_OUT, "websocket": Why.OPTED_OUT}, []),
    "user deleted": (user_deleted, "nothing", {"email": Why.UNKNOWN_USER, "websocket": Why.UNKNOWN_USER}, []),
    "template missing": (
        template_gone,
        "nothing",
        {channel: f"there is no template 'nobodys' for {channel}" for channel in ("email", "websocket")},
        [],
    ),
    "rendering fails": (
        mail_without_words, "send", {"email": NO_VARIABLE, "websocket": FIRST}, [],
    ),
    "breaker open": (breaker_opened, "hold", {"email": FIRST, "websocket": FALLBACK}, ["breaker"]),
    "breaker to be probed": (breaker_to_be_probed, "send", {"email": FIRST, "websocket": FALLBACK}, []),
    "quiet hours": (quiet_now, "hold", {"email": FIRST, "websocket": FALLBACK}, ["quiet hours"]),
    "quiet hours, all at once": (
        together(quiet_now, all_at_once), "send", {"email": FIRST, "websocket": FIRST}, ["quiet hours"],
    ),
    "quiet hours and a broken template": (
        together(quiet_now, mail_without_words), "hold", {"email": NO_VARIABLE, "websocket": FIRST},
        ["quiet hours"],
    ),
    "cap used up": (cap_used_up, "send", {"email": Why.CAPPED, "websocket": FIRST}, []),
    "cap used up, and no other": (together(cap_used_up, mail_alone), "skip", {"email": Why.CAPPED}, []),
    "collected": (collected, "hold", {}, ["digest"]),
}  # fmt: skip


@pytest.mark.parametrize("name", SITUATIONS)
async def test_each_situation_is_told_and_the_replay_that_follows_does_what_was_told(
    world: World, console: App, name: str
) -> None:
    happen, verdict, steps, holds = SITUATIONS[name]
    notification, letter = await fail(world)
    await happen(world)
    asked_before = len(world.mail.letters)

    document = await dry_run(console, letter)
    replayed = await ask(console, f"{letter}/replay")
    await world.deliver_everything()

    assert (document["verdict"], [hold["rule"] for hold in document["holds"]]) == (verdict, holds)
    found = {
        step["channel"]: step["why"] if step["verdict"] == "passed" else step["verdict"] for step in document["steps"]
    }
    assert found == steps
    assert replayed.status == 202
    await assert_it_did(world, notification, document, asked_before)


ENDS = {
    "send": {NotificationStatus.SENT},
    "hold": {NotificationStatus.QUEUED, NotificationStatus.SCHEDULED},
    "skip": {NotificationStatus.SKIPPED},
    "nothing": {NotificationStatus.FAILED},
}


async def assert_it_did(world: World, notification: UUID, document: dict[str, Any], asked_before: int) -> None:
    """Check what became of a replay against what was told of it."""
    after = await world.document(notification)
    firsts = {step["channel"] for step in document["steps"] if step["verdict"] == "first"}
    fallbacks = {step["channel"] for step in document["steps"] if step["verdict"] == "fallback"}
    held = {hold["why"].partition(":")[0] for hold in document["holds"]}
    now = {one["channel"]: one for one in after["deliveries"] if one["epoch"] == 1}
    status = NotificationStatus(after["status"])
    is_partly_held = document["verdict"] == "send" and document["holds"]
    assert status in (ENDS["hold"] if is_partly_held else ENDS[document["verdict"]])
    sent = {channel for channel, one in now.items() if one["status"] == "sent"}
    assert sent == (firsts - held if document["verdict"] == "send" else set())
    assert not fallbacks & now.keys()
    letters = world.mail.letters[asked_before:]
    assert all(step["why"] for step in document["steps"])
    assert NO_BOX.reason not in document["why"]
    written = [(one.address, one.subject, one.text) for one in letters]
    told_of_mail = [(one["to"], one["subject"], one["text"]) for one in document["steps"] if one["channel"] == "email"]
    assert written == (told_of_mail if "email" in sent else [])
    until = {one["why"].partition(":")[0]: one["until"] for one in document["holds"]}
    for channel, one in now.items():
        if channel in held and one["due_at"]:
            promised, kept = datetime.fromisoformat(until[channel]), datetime.fromisoformat(one["due_at"])
            assert abs(kept - promised) < timedelta(seconds=10)  # of 60: a tenth is added, so that not all come at once


async def test_a_step_tells_address_provider_and_words(world: World, console: App) -> None:
    _, letter = await fail(world)
    await breaker_opened(world)

    email, inbox = (await dry_run(console, letter))["steps"]

    assert (email["to"], email["provider"], email["provider_state"]) == (ADDRESS, "scripted", "open")
    assert (email["subject"], email["html"]) == ("Order shipped", None)
    assert "Your order is on its way." in email["text"]
    assert (inbox["to"], inbox["provider"], inbox["provider_state"]) == (USER, "inbox", "closed")


async def test_of_several_mail_servers_the_one_is_told_that_would_be_asked(world: World) -> None:
    _, letter = await fail(world)
    await breaker_opened(world)
    console = console_of(world, "smtp://127.0.0.1:1?name=scripted smtp://127.0.0.1:2?name=backup")

    document = await dry_run(console, letter)

    assert document["verdict"] == "send"
    assert (document["steps"][0]["provider"], document["steps"][0]["provider_state"]) == ("backup", "closed")


async def test_where_no_provider_is_set_the_one_is_told_that_was_asked_before(world: World) -> None:
    _, letter = await fail(world)
    await breaker_opened(world)

    document = await dry_run(serve.build("console", world.resources), letter)

    assert (document["verdict"], document["steps"][0]["provider"]) == ("hold", "scripted")


async def test_todays_address_and_todays_words_are_told(world: World, console: App) -> None:
    _, letter = await fail(world)
    await world.store.directory.put_users(TENANT, [User(id=USER, email="new@example.test", locale="de")])
    words = {"en": {"subject": "Left", "body": "It left."}, "de": {"subject": "Fort", "body": "Es ist fort."}}
    await put_template(world, {"name": "shipped", "contents": {"email": words}})
    await world.store.directory.put_workflow(TENANT, "*", {**MAIL, "template": "shipped"})

    (step,) = (await dry_run(console, letter))["steps"]

    assert (step["to"], step["subject"], step["text"]) == ("new@example.test", "Fort", "Es ist fort.")


async def test_what_a_newer_one_has_replaced_would_be_skipped(world: World, console: App) -> None:
    notification, letter = await fail(world, collapse_key="order-7")
    world.mail.answers = []
    await world.post("order-2", collapse_key="order-7")
    await world.deliver_everything()

    document = await dry_run(console, letter)
    await ask(console, f"{letter}/replay")
    await world.deliver_everything()

    assert (document["verdict"], document["why"]) == ("skip", Why.SUPERSEDED)
    assert await world.status_of(notification) is NotificationStatus.SKIPPED


async def test_an_open_window_says_when_the_digest_goes(world: World, console: App) -> None:
    _, letter = await fail(world)
    await collected(world)
    await world.post("order-2")
    await world.deliver_everything()
    await world.store.database.run("UPDATE digests SET next_look_at = '2040-01-01T00:00:00Z'")

    (hold,) = (await dry_run(console, letter))["holds"]

    assert datetime.fromisoformat(hold["until"]) == datetime(2040, 1, 1, tzinfo=UTC)


async def test_what_holds_no_notification_or_is_settled_would_do_nothing(world: World, console: App) -> None:
    garbage = (await world.store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", b"\xff")).id
    _, letter = await fail(world)
    await ask(console, f"{letter}/replay")

    documents = [await dry_run(console, key) for key in (garbage, letter)]

    assert [document["verdict"] for document in documents] == ["nothing", "nothing"]
    assert [document["why"] for document in documents] == [
        "it holds bytes and no notification: there is nothing to start over",
        "it is replayed already",
    ]


async def test_a_set_is_told_in_its_order_and_what_is_not_there_is_a_problem(world: World, console: App) -> None:
    _, letter = await fail(world)
    missing = uuid4()

    answer = await ask(console, "dry-run", {"ids": [str(missing), str(letter), str(letter)]})

    first, *rest = answer.document["results"]
    assert (first["id"], first["problem"]["status"]) == (str(missing), 404)
    assert [one["verdict"] for one in rest] == ["send", "send"]


async def test_a_dry_run_writes_nothing_at_all(world: World, console: App) -> None:
    _, letter = await fail(world)
    await together(cap_used_up, quiet_now, breaker_opened, collected)(world)
    before, published = await belongings(world.store, TENANT), len(world.broker.published)

    await dry_run(console, letter)
    await ask(console, "dry-run", {"ids": [str(letter)]})

    assert await belongings(world.store, TENANT) == before
    assert len(world.broker.published) == published
    async with world.store.snapshots.look(TENANT) as look:
        rows = await look._rows("SELECT current_setting('transaction_read_only')", ())
    assert rows == [("on",)]


async def test_another_tenant_is_told_nothing_of_ours(world: World) -> None:
    _, letter = await fail(world)
    elsewhere, key = serve.build("console", resources(world.store, api_keys="globex:key")), {"x-api-key": "key"}

    one = await ask(elsewhere, f"{letter}/dry-run", **key)
    many = await ask(elsewhere, "dry-run", {"ids": [str(letter)]}, **key)

    assert one.status == 404
    assert many.document["results"][0]["problem"]["status"] == 404


@pytest.mark.parametrize("ids", [[], ["nonsense"], [str(uuid4())] * 101, None])
async def test_a_set_that_cannot_be_is_refused_by_its_field(console: App, ids: Any) -> None:
    answer = await ask(console, "dry-run", {"ids": ids})

    assert (answer.status, answer.document["field"].partition("[")[0]) == (422, "ids")
