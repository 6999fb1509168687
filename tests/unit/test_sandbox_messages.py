from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from infrastructure.sandbox.behaviours import Behaviour, behaviour_of
from infrastructure.sandbox.mailbox import Content, Mailbox, Received
from infrastructure.sandbox.moods import Moods, Outage
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


async def ask(
    mailbox: Mailbox, path: str, query: str = "", *, settings: Settings = OPEN, key: str = "", **more: Any
) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(more["body"]).encode() if "body" in more else b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope: dict[str, Any] = {"type": "http", "method": more.get("method", "GET"), "path": path, "root_path": ""}
    scope |= {"query_string": query.encode(), "headers": [(b"x-api-key", key.encode())] if key else []}
    await sandbox_app(mailbox, more.get("moods", {}), Keys(settings))(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"] or b"null")


async def get(mailbox: Mailbox, query: str = "", **more: Any) -> tuple[int, Any]:
    return await ask(mailbox, "/sandbox/messages", query, **more)


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


@pytest.mark.parametrize("query", ["channel=pigeon", "channel="])
async def test_a_channel_that_does_not_exist_is_refused_by_name(mailbox: Mailbox, query: str) -> None:
    status, problem = await get(mailbox, query)

    assert (status, problem["field"]) == (422, "channel")


@pytest.mark.parametrize(("key", "status"), [("", 401), ("k-2", 401), ("k-1", 200)])
async def test_where_the_api_needs_a_key_the_sandbox_needs_it_too(mailbox: Mailbox, key: str, status: int) -> None:
    assert (await get(mailbox, settings=LOCKED, key=key))[0] == status


async def test_the_inbox_can_be_emptied(mailbox: Mailbox) -> None:
    status, _ = await get(mailbox, method="DELETE")

    assert (status, await get(mailbox)) == (204, (200, []))


async def test_the_switches_of_a_stand_in_are_turned_while_it_runs(mailbox: Mailbox) -> None:
    moods = {"smtp": Moods(), "twilio": Moods()}

    await ask(
        mailbox, "/sandbox/providers/twilio", method="PUT", body={"error_rate": 1, "outage": "reset"}, moods=moods
    )

    assert (moods["twilio"].error_rate, moods["twilio"].outage, moods["smtp"].outage) == (1, Outage.RESET, None)
    calm = {"latency_seconds": 0.0, "error_rate": 0.0, "outage": None}
    shown = {"smtp": calm, "twilio": {**calm, "error_rate": 1.0, "outage": "reset"}}
    assert await ask(mailbox, "/sandbox/providers", moods=moods) == (200, shown)


@pytest.mark.parametrize(
    ("name", "body", "answer"),
    [
        ("pigeon", {}, (404, "name")),
        ("smtp", {"error_rate": 2}, (422, "error_rate")),
        ("smtp", {"outage": "holiday"}, (422, "outage")),
        ("smtp", {"colour": "red"}, (422, "colour")),
    ],
)
async def test_a_switch_that_does_not_exist_is_refused_by_name(
    mailbox: Mailbox, name: str, body: dict[str, Any], answer: tuple[int, str]
) -> None:
    path, moods = f"/sandbox/providers/{name}", {"smtp": Moods()}

    status, problem = await ask(mailbox, path, method="PUT", body=body, moods=moods)

    assert (status, problem.get("field") or problem["errors"][0]["field"]) == answer
    assert moods["smtp"].error_rate == 0


async def test_the_same_behaviours_are_there_on_every_channel(mailbox: Mailbox) -> None:
    status, recipients = await ask(mailbox, "/sandbox/recipients")

    assert status == 200
    assert [one["behaviour"] for one in recipients] == list(Behaviour)
    for one in recipients:
        for channel in ("sms", "telegram", "push"):
            assert behaviour_of(one[channel]) is Behaviour(one["behaviour"])
