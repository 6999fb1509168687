"""Notifications on one channel, over HTTP: a template to a user, words to an address; and wishes of any of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from shared import serve
from shared.serve import App
from tests.asgi import Answer, call
from tests.world import World, lines

SEND = "/notifications/send"
DIRECT = "/api/v1/notifications"
EVENTS = "/events"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def ingest(world: World) -> AsyncIterator[App]:
    app = serve.build("ingest", world.resources)
    yield app
    await app.drain()


async def post(app: App, path: str, document: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(app, "POST", path, json.dumps(document).encode(), {"content-type": "application/json", **named})


async def test_a_message_to_a_user_goes_out_on_the_channel_that_the_request_names_and_on_no_other(
    world: World, ingest: App
) -> None:
    answer = await post(ingest, SEND, {"user_id": 1, "channel": "email", "variables": {"message": "Your code is 7."}})
    await ingest.drain()
    await world.deliver_everything()

    assert (answer.status, answer.document["status"]) == (202, "pending")
    document = await world.document(UUID(answer.document["id"]))
    assert (document["status"], document["event_type"]) == ("sent", "notification.send")
    assert [delivery["channel"] for delivery in document["deliveries"]] == ["email"]
    assert lines(document, "routed")[0]["why"] == "the request names this channel"


async def test_words_to_an_address_are_sent_as_they_are(world: World, ingest: App) -> None:
    words = {"subject": "Hello {{ name }}", "message": "50% {{ off }}\nSee you."}
    answer = await post(ingest, DIRECT, {"type": "email", "recipient": "someone@example.test", **words})
    await ingest.drain()
    await world.deliver_everything()

    assert answer.status == 202
    (letter,) = world.mail.letters
    assert (letter.address, letter.subject, letter.text) == ("someone@example.test", words["subject"], words["message"])
    assert await world.status_of(UUID(answer.document["id"])) == "sent"
