"""From the event to the phone and back: Twilio's stand-in reports to our own address, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from infrastructure.local.server import HttpServer, listen
from infrastructure.sandbox.sandbox import Sandbox
from shared import serve
from shared.events import EventType, decode
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from shared.store.directory import User
from tests.integration.test_twilio_end_to_end import PHONE, TwilioWorld, end
from tests.world import TENANT, USER

LANDLINE = "+15005300061"
"""Twilio takes it, and reports later that nothing can be delivered there (30006)."""


@pytest.fixture
async def world(store: Store) -> AsyncIterator[TwilioWorld]:
    """Open a world whose address Twilio knows, with a listener there."""
    sandbox = Sandbox()
    await sandbox.start()
    world, listener = TwilioWorld(store, sandbox), listen("127.0.0.1", 0)
    public_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    world.resources.settings = world.resources.settings.model_copy(update={"public_url": public_url})
    world.restart()
    app = serve.build("callbacks", world.resources)
    server = HttpServer(app, listener)
    await server.start()
    await world.settle_in({"channels": ["sms", "websocket"]})
    yield world
    await end(world)
    await server.stop()
    await app.drain()
    await sandbox.stop()


async def until_a_receipt_is_announced(world: TwilioWorld) -> str:
    async with asyncio.timeout(10):
        while not any(decode(m.body).type is EventType.RECEIPT_RECORDED for m in world.broker.published):  # noqa: ASYNC110 - of another task
            await asyncio.sleep(0.02)
    return str((await world.store.database.fetch("SELECT receipt FROM receipts"))[0][0])


async def test_what_arrives_on_the_phone_is_delivered(world: TwilioWorld) -> None:
    await world.store.directory.put_users(TENANT, [User(id=USER, phone=PHONE)])
    notification = await world.post()
    await world.deliver_everything()

    receipt = await until_a_receipt_is_announced(world)
    await world.live_on()

    assert receipt == "delivered"
    assert await world.status_of(notification) is NotificationStatus.DELIVERED


async def test_what_cannot_arrive_on_the_phone_goes_to_the_inbox(world: TwilioWorld) -> None:
    await world.store.directory.put_users(TENANT, [User(id=USER, phone=LANDLINE)])
    notification = await world.post()
    await world.deliver_everything()

    receipt = await until_a_receipt_is_announced(world)
    await world.deliver_everything()

    assert receipt == "failed"
    assert await world.value("status", notification, Channel.SMS) == "failed"
    assert await world.value("status", notification, Channel.WEBSOCKET) == "sent"
    assert await world.status_of(notification) is NotificationStatus.SENT
