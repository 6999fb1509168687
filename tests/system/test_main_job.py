"""The main job, in all three ways of running: an event goes in, the person hears of it."""

from __future__ import annotations

import json
import zlib
from typing import Any

import aiohttp
import pytest

from tests.system.client import PATIENCE_SECONDS, Client

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CLOUD_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "source": "/shop",
    "type": "order_created",
    "datacontenttype": "application/json",
    "data": {"message": "from a CloudEvent", "preferred_channel": "email"},
}


async def test_an_event_becomes_a_mail_and_anybody_can_see_how(carillon: Client) -> None:
    key = await carillon.post("Order #42 confirmed")

    document = await carillon.until(key, "sent")

    assert any("Order #42 confirmed" in text for text in await carillon.mails())
    assert [delivery["status"] for delivery in document["deliveries"]] == ["sent"]
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["accepted"]
    assert [line["what"] for line in document["timeline"]] == ["accepted", "routed", "attempt", "sent"]
    assert all(line["why"] for line in document["timeline"])


async def next_message(socket: aiohttp.ClientWebSocketResponse) -> Any:
    """Wait for a message of the inbox, whatever else is said before."""
    while (frame := await socket.receive_json(timeout=PATIENCE_SECONDS))["type"] != "notification":
        pass
    return frame


async def test_a_websocket_message_reaches_who_listens_and_who_comes_later(carillon: Client) -> None:
    async with carillon.socket() as listener:
        key = await carillon.post("Order #42 confirmed", channel="websocket")
        heard = await next_message(listener)
        await carillon.until(key, "sent")

    async with carillon.socket(since=0) as latecomer:
        resumed = await next_message(latecomer)
        await latecomer.send_json({"type": "ack", "id": resumed["id"]})
        await carillon.until(key, "delivered")

    assert heard["id"] == resumed["id"] == key
    assert heard["message"] == "Order #42 confirmed"
    assert heard["cursor"] == resumed["cursor"]


async def test_a_telegram_message_is_in_the_chat_of_its_person(carillon: Client) -> None:
    chat = str(4711_000_000 + zlib.crc32(carillon.user.encode()))
    await carillon.put(f"/users/{carillon.user}", {"name": "Somebody", "telegram": chat})

    key = await carillon.post("Order #42 confirmed", channel="telegram")

    document = await carillon.until(key, "sent")
    (message,) = await carillon.get(f"/sandbox/messages?channel=telegram&to={chat}")
    assert message["text"] == "Order created\n\nOrder #42 confirmed"
    assert document["attempts"][0]["provider_message_id"] == f"{chat}:{message['message_id']}"


async def test_a_cloud_event_in_any_mode_is_the_same_notification(carillon: Client) -> None:
    event = CLOUD_EVENT | {"id": carillon.user, "subject": carillon.user}
    structured = {"content-type": "application/cloudevents+json"}
    batch = {"content-type": "application/cloudevents-batch+json"}
    binary = {f"ce-{name}": value for name, value in event.items() if isinstance(value, str)}
    del binary["ce-datacontenttype"]

    answers = [
        await carillon.post_raw(structured, json.dumps(event)),
        await carillon.post_raw({**binary, "content-type": "application/json"}, json.dumps(event["data"])),
        await carillon.post_raw(batch, json.dumps([event, {"specversion": "0.3"}])),
    ]

    assert [status for status, _ in answers] == [202, 202, 202]
    results = answers[2][1]["results"]
    ids = {answers[0][1]["id"], answers[1][1]["id"], results[0]["id"]}
    assert len(ids) == 1
    assert "problem" in results[1]
    await carillon.until(ids.pop(), "sent")
    assert sum("from a CloudEvent" in text for text in await carillon.mails()) == 1


async def test_bad_input_gets_a_problem_and_the_next_event_is_served(carillon: Client) -> None:
    bad = b'{"event_type":"order_created","user_id":"x","data":{}}'

    status, problem = await carillon.post_raw({"content-type": "application/json"}, bad)

    assert status == 422
    assert problem["field"] == "data.message"
    assert await carillon.until(await carillon.post("still here"), "sent")


async def test_an_unknown_user_ends_failed_with_the_reason_and_a_dead_letter(carillon: Client) -> None:
    key = await carillon.post("who?", user="nobody")

    document = await carillon.until(key, "failed")

    assert document["reason"] == "nobody knows this user"
    letters = (await carillon.get("/dead-letters"))["dead_letters"]
    assert key in {letter["notification_id"] for letter in letters}


MOODS = {
    "refused": ("failed", ["permanent"]),
    "fails-1": ("sent", ["transient", "accepted"]),
    "cut": ("sent", ["ambiguous", "accepted"]),
    "greylisted": ("queued", ["throttled"]),
}


@pytest.mark.parametrize("mood", MOODS)
async def test_what_the_mail_server_says_is_what_the_saga_does(carillon: Client, mood: str) -> None:
    status, outcomes = MOODS[mood]
    await carillon.put("/workflows/by_mail_only", {"channels": ["email"]})
    await carillon.put(f"/users/{mood}-{carillon.user}", {"email": f"{mood}+{carillon.user}@example.test"})

    key = await carillon.post("hello", user=f"{mood}-{carillon.user}", event_type="by_mail_only")

    document = await carillon.until_attempted(key, len(outcomes), status)
    assert [attempt["outcome"] for attempt in document["attempts"]] == outcomes
    assert [attempt["ambiguous"] for attempt in document["attempts"]] == [each == "ambiguous" for each in outcomes]


async def test_a_push_message_is_shown_on_every_device_of_its_person(carillon: Client) -> None:
    for provider in ("fcm", "onesignal"):
        await carillon.put(f"/users/{carillon.user}/devices/{provider}-{carillon.user}", {"provider": provider})

    key = await carillon.post("Order #42 confirmed", channel="push")

    document = await carillon.until(key, "sent")
    seen = [
        message["text"]
        for provider in ("fcm", "onesignal")
        for message in await carillon.get(f"/sandbox/messages?channel=push&to={provider}-{carillon.user}")
    ]
    assert seen == ["Order #42 confirmed"] * 2
    assert document["attempts"][0]["reason"] == "2 of 2 devices took it"
