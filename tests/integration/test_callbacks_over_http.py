"""What providers say later, as it comes in: over HTTP, without a server."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from shared import serve
from shared.broker.topology import RESULTS
from shared.events import EventType, decode
from shared.serve import App
from shared.statuses import Channel
from shared.store import Store
from tests.asgi import Answer, call, resources
from tests.world import ADDRESS, TENANT, World

ROOT, TOKEN = "https://notify.example.test/carillon", "twilio-token"
FORM = "application/x-www-form-urlencoded"
SETTINGS: dict[str, Any] = {"public_url": ROOT + "/", "twilio_auth_token": SecretStr(TOKEN)}


@pytest.fixture
async def app(world: World) -> AsyncIterator[App]:
    world.resources.settings = world.resources.settings.model_copy(update=SETTINGS)
    app = serve.build("callbacks", world.resources)
    yield app
    await app.drain()


def query_for(notification: UUID, tenant: str = TENANT, epoch: int = 0) -> str:
    return urlencode({"tenant": tenant, "id": str(notification), "channel": "email", "epoch": epoch})


async def say(app: App, query: str, *, signature: str | None = None, **form: str) -> Answer:
    """Post a status callback as Twilio does, signed if nothing else is said."""
    path = f"/callbacks/twilio?{query}"
    good = RequestValidator(TOKEN).compute_signature(ROOT + path, form)
    headers = {"content-type": FORM, "x-twilio-signature": good if signature is None else signature}
    sent = {name: value for name, value in headers.items() if value}
    return await call(app, "POST", path, urlencode(form).encode(), sent)


def status(said: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM1", "MessageStatus": said, **more}


async def receipts(world: World) -> list[tuple[Any, ...]]:
    query = "SELECT receipt, reason FROM receipts ORDER BY created_at"
    return [tuple(row) for row in await world.store.database.fetch(query)]


def announced(world: World) -> list[UUID | None]:
    found = [decode(message.body) for message in world.broker.published if message.queue == RESULTS]
    return [event.data.notification_id for event in found if event.type is EventType.RECEIPT_RECORDED]


async def sent(world: World) -> UUID:
    """Post a notification that is sent by e-mail."""
    notification = await world.post(prefers=Channel.EMAIL)
    await world.deliver_everything()
    assert await world.status_of(notification) == "sent"
    return notification


async def test_a_message_that_twilio_reports_as_delivered_is_delivered(world: World, app: App) -> None:
    notification = await sent(world)

    answer = await say(app, query_for(notification), **status("delivered"))
    await world.deliver_everything()

    assert answer.status == 204
    assert await world.status_of(notification) == "delivered"
    assert await receipts(world) == [("delivered", "Twilio reports it as delivered")]


async def test_a_callback_that_comes_twice_is_one_receipt(world: World, app: App) -> None:
    notification = await sent(world)

    answers = [await say(app, query_for(notification), **status("delivered")) for _ in range(2)]

    assert [answer.status for answer in answers] == [204, 204]
    assert announced(world) == [notification]
    assert len(await receipts(world)) == 1


async def test_callbacks_out_of_order_take_nothing_back(world: World, app: App) -> None:
    notification = await sent(world)

    for said in ("read", "delivered", "sent", "queued"):
        assert (await say(app, query_for(notification), **status(said))).status == 204
        await world.deliver_everything()

    assert await world.value("status", notification) == "read"
    assert await world.status_of(notification) == "delivered"


async def test_a_callback_may_come_before_our_own_record_of_the_call(world: World, app: App) -> None:
    notification = await world.post_routed()

    answer = await say(app, query_for(notification), **status("delivered"))
    await world.live_on()
    await world.turn_clock(20)
    await world.sweep()
    await world.deliver_everything()

    assert answer.status == 204
    assert await world.status_of(notification) == "delivered"


async def test_a_callback_without_its_event_counts_as_well(world: World, app: App) -> None:
    notification = await sent(world)
    world.broker.refuses = True

    await say(app, query_for(notification), **status("delivered"))
    world.broker.refuses = False
    await world.turn_clock(20)
    await world.sweep()
    await world.deliver_everything()

    assert await world.status_of(notification) == "delivered"


async def test_a_number_that_does_not_exist_is_suppressed(world: World, app: App) -> None:
    notification = await sent(world)

    answer = await say(app, query_for(notification), **status("undelivered", ErrorCode="21610"))

    assert answer.status == 204
    assert [row[0] for row in await receipts(world)] == ["failed"]
    rows = await world.store.database.fetch("SELECT channel, address FROM suppressions")
    assert [tuple(row) for row in rows] == [("email", ADDRESS)]


@pytest.mark.parametrize("signature", ["", "bm90IHNpZ25lZA==", "ä", "x" * 5000])
async def test_a_callback_that_twilio_has_not_signed_is_refused(world: World, app: App, signature: str) -> None:
    notification = await sent(world)

    answer = await say(app, query_for(notification), signature=signature, **status("delivered"))

    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert await receipts(world) == []


async def test_a_signature_is_good_for_no_other_address_and_no_other_form(world: World, app: App) -> None:
    notification, other = await sent(world), uuid4()
    form = status("delivered")
    path = f"/callbacks/twilio?{query_for(other)}"
    elsewhere = RequestValidator(TOKEN).compute_signature(ROOT + path, form)

    answers = [
        await say(app, query_for(notification), signature=elsewhere, **form),
        await say(app, query_for(other), signature=elsewhere, **status("read")),
        await say(app, query_for(notification) + "&tenant=other", signature=elsewhere, **form),
    ]

    assert [answer.status for answer in answers] == [403] * 3
    assert await receipts(world) == []


@pytest.mark.parametrize("missing", ["public_url", "twilio_auth_token"])
async def test_without_a_token_or_an_address_nothing_is_believed(store: Store, missing: str) -> None:
    app = serve.build("callbacks", resources(store, **{**SETTINGS, missing: None}))

    answer = await say(app, query_for(uuid4()), **status("delivered"))

    assert answer.status == 403


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a=1&" * 5000, b"%ff=1", b"{}"])
async def test_a_form_that_is_none_is_refused(app: App, body: bytes) -> None:
    answer = await call(app, "POST", "/callbacks/twilio", body, {"content-type": FORM, "x-twilio-signature": "eA=="})

    assert answer.status in {403, 413}


@pytest.mark.parametrize(
    "query",
    [
        query_for(UUID(int=5)),
        query_for(UUID(int=5), tenant="other"),
        query_for(UUID(int=5), tenant="\x00"),
        query_for(UUID(int=5), epoch=2**40),
        query_for(UUID(int=5), epoch=-1),
        "id=5",
        "nothing",
    ],
)
async def test_what_is_about_nothing_that_we_know_is_answered_and_counted(world: World, app: App, query: str) -> None:
    answer = await say(app, query, **status("delivered"))

    assert answer.status == 204
    assert (await receipts(world), announced(world)) == ([], [])
    counted = re.findall(rb'receipts_total\{outcome="(\w+)",provider="twilio"\} 1', world.resources.metrics.render())
    assert counted in ([b"known"], [b"ignored"])


async def test_the_notification_of_another_tenant_is_left_alone(world: World, app: App) -> None:
    notification = await sent(world)

    answer = await say(app, query_for(notification, tenant="other"), **status("delivered"))

    assert answer.status == 204
    assert await receipts(world) == []


async def test_without_its_database_a_callback_is_to_come_again(away: Store) -> None:
    app = serve.build("callbacks", resources(away, **SETTINGS))

    answer = await say(app, query_for(uuid4()), **status("delivered"))

    assert answer.status == 503


def bounce(notification: UUID, **more: str) -> bytes:
    return json.dumps({"message_id": f"<{notification}.0@example.test>", **more}).encode()


async def post_as(app: App, path: str, body: bytes, key: str = "", content_type: str = "application/json") -> Answer:
    return await call(app, "POST", path, body, {"content-type": content_type, **({"x-api-key": key} if key else {})})


async def test_a_mail_that_came_back_is_a_failed_receipt_and_its_address_is_suppressed(world: World, app: App) -> None:
    notification = await sent(world)

    answer = await post_as(app, "/callbacks/email", bounce(notification, type="bounce", status="5.1.1"))

    assert answer.status == 204
    assert await receipts(world) == [("failed", "the address does not exist")]
    assert announced(world) == [notification]
    assert len(await world.store.database.fetch("SELECT 1 FROM suppressions")) == 1
    await world.deliver_everything()
    assert await world.value("status", notification) == "failed"
    assert await world.value("status", notification, Channel.WEBSOCKET) == "sent"


async def test_who_complains_is_left_alone_even_if_the_mail_was_known_to_have_arrived(world: World, app: App) -> None:
    notification = await sent(world)
    await post_as(app, "/callbacks/email", bounce(notification, type="delivered"))

    answer = await post_as(app, "/callbacks/email", bounce(notification, type="complaint"))

    assert answer.status == 204
    assert [row[0] for row in await receipts(world)] == ["delivered", "read"]
    assert len(await world.store.database.fetch("SELECT 1 FROM suppressions")) == 1


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ("message.push.received", [("delivered", "OneSignal reports it as delivered")]),
        ("message.push.clicked", [("read", "OneSignal reports it as read")]),
        ("message.push.failed", []),
        ("message.push.sent", []),
    ],
)
async def test_an_event_of_a_device_is_a_receipt_where_it_got_the_message(
    world: World, app: App, event: str, found: list[tuple[str, str]]
) -> None:
    notification = await sent(world)
    said = {"event": event, "notification_id": str(notification)}

    answer = await post_as(app, "/callbacks/onesignal", json.dumps(said).encode())

    assert answer.status == 204
    assert await receipts(world) == found


@pytest.mark.parametrize("epoch", [1, "1"])
async def test_an_event_about_a_replay_is_not_taken_for_one_of_the_life_before(
    world: World, app: App, epoch: object
) -> None:
    notification = await sent(world)
    said = {"event": "message.push.received", "notification_id": str(notification), "epoch": epoch}

    await post_as(app, "/callbacks/onesignal", json.dumps(said).encode())

    assert await world.store.database.fetch("SELECT epoch FROM receipts") == [(1,)]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/callbacks/onesignal", b"[]", 204),
        ("/callbacks/onesignal", b'{"event": "message.push.received", "notification_id": 5}', 204),
        ("/callbacks/onesignal", b'{"event": "message.push.received", "notification_id": "5", "epoch": "x"}', 204),
        ("/callbacks/onesignal", b"{", 400),
        ("/callbacks/onesignal", b"x" * 300_000, 413),
        ("/callbacks/email", b"{", 204),
        ("/callbacks/email", b'{"type": 5}', 204),
        ("/callbacks/email", b"x" * 1_100_000, 413),
    ],
)
async def test_what_cannot_be_used_is_never_a_failure_of_ours(
    world: World, app: App, path: str, body: bytes, expected: int
) -> None:
    answer = await post_as(app, path, body)

    assert answer.status == expected
    assert await receipts(world) == []


@pytest.mark.parametrize("path", ["/callbacks/onesignal", "/callbacks/email"])
async def test_with_keys_configured_a_callback_needs_one_and_reaches_its_own_tenant_alone(
    world: World, path: str
) -> None:
    notification = await sent(world)
    keys = SecretStr(f"{TENANT}:right,other:another")
    world.resources.settings = world.resources.settings.model_copy(update={**SETTINGS, "api_keys": keys})
    app = serve.build("callbacks", world.resources)
    body = bounce(notification, type="delivered", event="message.push.received", notification_id=str(notification))

    without = await post_as(app, path, body)
    another = await post_as(app, path, body, "another")
    nothing_yet = await receipts(world)
    right = await post_as(app, path, body, "right")

    assert (without.status, another.status, right.status) == (401, 204, 204)
    assert nothing_yet == []
    assert [row[0] for row in await receipts(world)] == ["delivered"]
