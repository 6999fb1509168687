"""Notifications on one channel, over HTTP: a template to a user, and words to an address."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from shared import serve
from shared.serve import App
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from tests.asgi import Answer, call
from tests.fakes import ScriptedProvider
from tests.world import ADDRESS, TENANT, USER, World, lines

SEND = "/notifications/send"
DIRECT = "/api/v1/notifications"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ADDRESSES = {
    "email": "someone@example.test",
    "sms": "+15551234567",
    "whatsapp": "+15551234567",
    "telegram": "4711",
    "push": "token:of-a-phone",
}


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


async def post(app: App, path: str, document: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(app, "POST", path, json.dumps(document).encode(), {"content-type": "application/json", **named})


def to(channel: str, recipient: Any, **more: Any) -> dict[str, Any]:
    return {"type": channel, "recipient": recipient, "subject": "Hello", "message": "See you.", **more}


async def test_a_message_to_a_user_goes_out_on_the_channel_that_the_request_names_and_on_no_other(
    world: World, ingest: App
) -> None:
    world.mail.answers = [OutcomeKind.PERMANENT]

    answer = await post(ingest, SEND, {"user_id": 1, "channel": "email", "variables": {"message": "Your code is 7."}})
    await ingest.drain()
    await world.deliver_everything()

    assert (answer.status, answer.document["status"]) == (202, "pending")
    document = await world.document(UUID(answer.document["id"]))
    assert (document["status"], document["event_type"]) == ("failed", "notification.send")
    assert [delivery["channel"] for delivery in document["deliveries"]] == ["email"]
    assert lines(document, "routed")[0]["why"] == "the request names this channel"


async def test_the_template_that_a_request_names_goes_before_that_of_the_workflow(world: World, ingest: App) -> None:
    await world.store.directory.put_workflow(TENANT, "as-given", {"template": "plain", "category": "news"})
    words = {"subject": "From the template", "message": "and its variables"}

    await post(ingest, SEND, {"user_id": 1, "channel": "email", "template": "as-given", "variables": words})
    await ingest.drain()
    await world.deliver_everything()

    (letter,) = world.mail.letters
    assert (letter.subject, letter.text, letter.category) == (words["subject"], words["message"], "news")


@pytest.mark.parametrize("channel", list(ADDRESSES))
async def test_words_to_an_address_are_sent_there_as_they_are(store: Store, channel: str) -> None:
    provider = ScriptedProvider()
    world = await World(store, **{channel: provider}).settle_in()
    ingest = serve.build("ingest", world.resources)
    words = {"subject": "Hello {{ name }}", "message": "50% {{ off }}\nSee you."}

    answer = await post(ingest, DIRECT, to(channel, ADDRESSES[channel], **words))
    await ingest.drain()
    await world.deliver_everything()

    assert (answer.status, answer.document["status"]) == (202, "pending")
    (letter,) = provider.letters
    assert (letter.channel, letter.subject, letter.text) == (channel, words["subject"], words["message"])
    assert ([device.token for device in letter.devices] or [letter.address]) == [ADDRESSES[channel]]
    assert await world.status_of(UUID(answer.document["id"])) == "sent"


async def test_for_the_inbox_the_recipient_is_a_user(world: World, ingest: App) -> None:
    answer = await post(ingest, DIRECT, to("websocket", 1))
    await ingest.drain()
    await world.deliver_everything()

    document = await world.document(UUID(answer.document["id"]))
    assert (document["user_id"], document["status"]) == (USER, "sent")


async def test_one_address_is_one_user_whose_wishes_and_suppressions_hold(world: World, ingest: App) -> None:
    first = await post(ingest, DIRECT, to("email", "Someone@Example.test"))
    second = await post(ingest, DIRECT, to("email", "Someone@example.test"))
    users = await world.store.database.fetch("SELECT id, is_made FROM users WHERE id <> %s", (USER,))
    await world.store.directory.put_preference(TENANT, users[0][0], "*", Channel.EMAIL, enabled=False)
    await ingest.drain()
    await world.deliver_everything()

    assert (first.status, second.status) == (202, 202)
    assert [is_made for _, is_made in users] == [True]
    assert await world.store.views.counts(TENANT) == {"skipped": 2}


async def test_the_account_with_the_same_address_stays_as_it_is(world: World, ingest: App) -> None:
    await post(ingest, DIRECT, to("email", ADDRESS))

    user = await world.store.directory.user(TENANT, USER)
    users = await world.store.database.fetch("SELECT count(*), sum(is_made::int) FROM users")
    assert user is not None
    assert (user.email, users) == (ADDRESS, [(2, 1)])


async def test_the_device_of_a_person_stays_theirs_when_it_is_addressed(store: Store) -> None:
    push = ScriptedProvider()
    world = await World(store, push=push).settle_in()
    ingest = serve.build("ingest", world.resources)
    for token in ("first", "second"):
        await store.devices.register(TENANT, USER, provider="fcm", token=token)

    await post(ingest, DIRECT, to("push", "first"))
    await ingest.drain()
    await world.deliver_everything()

    assert [device.token for device in push.letters[0].devices] == ["first"]
    assert [device.token for device in await store.devices.of_user(TENANT, USER)] == ["first", "second"]


@pytest.mark.parametrize(
    ("path", "document"),
    [(SEND, {"user_id": 1, "channel": "email", "variables": {"message": "Hi"}}), (DIRECT, to("email", ADDRESS))],
)
async def test_correlation_and_trace_go_all_the_way(world: World, ingest: App, path: str, document: Any) -> None:
    answer = await post(ingest, path, document, x_correlation_id="cart-7", traceparent=TRACE)
    await ingest.drain()
    await world.deliver_everything()

    assert (await world.document(UUID(answer.document["id"])))["correlation_id"] == "cart-7"
    assert len(world.mail.letters) == 1
    assert all(json.loads(message.body)["traceparent"] == TRACE for message in world.broker.published)


async def test_no_message_and_no_view_names_the_address(world: World, ingest: App) -> None:
    answer = await post(ingest, DIRECT, to("email", "secret@example.test"))
    await ingest.drain()
    await world.deliver_everything()

    assert all(b"secret@" not in message.body for message in world.broker.published)
    assert "secret@" not in str(await world.document(UUID(answer.document["id"])))


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"channel": "email", "variables": {"message": "Hi"}}, "user_id"),
        ({"user_id": 1, "variables": {"message": "Hi"}}, "channel"),
        ({"user_id": 1, "channel": "fax", "variables": {"message": "Hi"}}, "channel"),
        ({"user_id": 1, "channel": "email"}, "variables.message"),
        ({"user_id": 1, "channel": "email", "variables": {"message": "  "}}, "variables.message"),
        ({"user_id": 1, "channel": "email", "variables": []}, "variables"),
        ({"user_id": 1, "channel": "email", "template": "no such name"}, "template"),
        (
            {"user_id": 1, "channel": "email", "variables": {"message": "Hi", "options": {"email": {"reply_to": 1}}}},
            "variables.options.email.reply_to",
        ),
        ([], "body"),
    ],
)
async def test_a_wrong_request_to_a_user_is_refused_by_name(ingest: App, document: Any, field: str) -> None:
    answer = await post(ingest, SEND, document)

    assert (answer.status, answer.document["field"]) == (422, field)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": "fax"}, "type"),
        ({"type": "sms", "recipient": "someone@example.test"}, "recipient"),
        ({"type": "sms", "recipient": "0171 123"}, "recipient"),
        ({"recipient": "+15551234567"}, "recipient"),
        ({"recipient": "a@example.test, b@example.test"}, "recipient"),
        ({"recipient": "a@example.test\r\nBcc: b@example.test"}, "recipient"),
        ({"recipient": None}, "recipient"),
        ({"recipient": True}, "recipient"),
        ({"type": "telegram", "recipient": "not a chat"}, "recipient"),
        ({"type": "push", "recipient": "with space"}, "recipient"),
        ({"type": "websocket", "recipient": " "}, "recipient"),
        ({"message": ""}, "message"),
        ({"message": None}, "message"),
        ({"subject": 5}, "subject"),
        ({"subject": "x" * 401}, "subject"),
        ({"provider": "pigeon"}, "provider"),
    ],
)
async def test_a_wrong_request_to_an_address_is_refused_by_name(
    ingest: App, changed: dict[str, Any], field: str
) -> None:
    answer = await post(ingest, DIRECT, {**to("email", "someone@example.test"), **changed})

    assert (answer.status, answer.document["field"]) == (422, field)
    assert "example.test" not in answer.body.decode()


@pytest.mark.parametrize("path", [SEND, DIRECT])
@pytest.mark.parametrize(("body", "content_type", "status"), [(b"{", "application/json", 400), (b"a", "text/csv", 415)])
async def test_what_cannot_be_read_is_refused(
    ingest: App, path: str, body: bytes, content_type: str, status: int
) -> None:
    assert (await call(ingest, "POST", path, body, {"content-type": content_type})).status == status
