from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from infrastructure.sandbox.mailbox import Content, Mailbox, Received
from infrastructure.sandbox.routes import sandbox_app
from shared.auth import Keys
from shared.settings import Settings
from shared.statuses import Channel

OPEN = Settings(host="127.0.0.1", api_keys=None)
LOCKED = Settings.model_validate({"api_keys": "acme:k-1"})


def received(to: str, text: str, channel: Channel = Channel.EMAIL) -> Received:
    return Received(channel=channel, to=to, sender="carillon@example.test", content=Content(text=text))


@pytest.fixture
def mailbox() -> Mailbox:
    mailbox = Mailbox()
    mailbox.keep(received("ada@example.test", "one"))
    mailbox.keep(received("bob@example.test", "two"))
    mailbox.keep(received("+4912345", "three", Channel.SMS))
    return mailbox


async def get(mailbox: Mailbox, query: str = "", *, settings: Settings = OPEN, key: str = "") -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/sandbox/messages", "root_path": ""}
    scope |= {"query_string": query.encode(), "headers": [(b"x-api-key", key.encode())] if key else []}
    await sandbox_app(mailbox, Keys(settings))(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("", ["three", "two", "one"]),
        ("to=ada@example.test", ["one"]),
        ("to=%2B4912345", ["three"]),
        ("channel=email", ["two", "one"]),
        ("channel=email&to=bob@example.test", ["two"]),
        ("to=nobody@example.test", []),
    ],
)
async def test_the_inbox_of_the_sandbox_shows_what_was_asked_for_newest_first(
    mailbox: Mailbox, query: str, texts: list[str]
) -> None:
    status, messages = await get(mailbox, query)

    assert status == 200
    assert [message["text"] for message in messages] == texts


async def test_a_channel_that_does_not_exist_is_refused_by_name(mailbox: Mailbox) -> None:
    status, problem = await get(mailbox, "channel=pigeon")

    assert (status, problem["field"]) == (422, "channel")


@pytest.mark.parametrize(("key", "status"), [("", 401), ("k-2", 401), ("k-1", 200)])
async def test_where_the_api_needs_a_key_the_sandbox_needs_it_too(mailbox: Mailbox, key: str, status: int) -> None:
    assert (await get(mailbox, settings=LOCKED, key=key))[0] == status
