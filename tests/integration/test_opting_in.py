"""STOP and START end to end: over HTTP, signed by Twilio, with the real step and Twilio's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.twilio import SMS_SENDER
from shared import serve
from shared.serve import App
from shared.statuses import Channel
from shared.store import Store
from shared.store.directory import User
from tests.asgi import call
from tests.contract.twilio_line import House, client, sandbox
from tests.world import TENANT, USER, World

ROOT, TOKEN = "https://notify.example.test", "twilio-token"
STOPPED = number_for(Behaviour.BLOCKED)
PATH = "/callbacks/twilio/messages"


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with sandbox() as house:
        yield house


@pytest.fixture
async def world(store: Store, house: House) -> AsyncIterator[World]:
    """Open a world with one person in it, who has answered STOP."""
    async with client(house.url) as provider:
        world = await World(store, sms=provider).settle_in({"channels": ["sms"]})
        await store.directory.put_users(TENANT, [User(id=USER, phone=STOPPED)])
        said = {"public_url": ROOT, "twilio_auth_token": SecretStr(TOKEN), "twilio_sms_from": SMS_SENDER}
        world.resources.settings = world.resources.settings.model_copy(update=said)
        yield world


@pytest.fixture
async def app(world: World) -> AsyncIterator[App]:
    app = serve.build("callbacks", world.resources)
    yield app
    await app.drain()


async def say(app: App, *, signature: str | None = None, **form: str) -> int:
    """Let a person write to our number; return how we answer Twilio."""
    form = {"MessageSid": "SM9", "From": STOPPED, "To": SMS_SENDER, **form}
    good = RequestValidator(TOKEN).compute_signature(ROOT + PATH, form)
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature or good}
    return (await call(app, "POST", PATH, urlencode(form).encode(), headers)).status


async def suppressed(world: World, tenant: str = TENANT) -> list[tuple[str, str]]:
    return [(one.address, one.reason) for one in await world.store.suppressions.listing(tenant)]


async def test_who_said_stop_is_left_alone_until_they_say_start(world: World, app: App, house: House) -> None:
    first = await world.post("order-1")
    await world.deliver_everything()
    stopped = await suppressed(world)

    statuses = [await say(app, Body="START"), await say(app, Body="START")]
    second = await world.post("order-2")
    await world.deliver_everything()

    assert stopped == [(STOPPED, "twilio 21610")]
    assert statuses == [204, 204]
    assert (await world.status_of(first), len(house.room.calls)) == ("failed", 2)
    assert await world.outcomes(second) == ["permanent"]  # it was tried again; the stand-in says STOP for ever
    assert await suppressed(world) == [(STOPPED, "twilio 21610")]


async def test_start_lifts_for_every_tenant_what_stop_has_made_and_nothing_else(world: World, app: App) -> None:
    suppressions = world.store.suppressions
    for tenant in (TENANT, "acme"):
        await suppressions.put(tenant, Channel.SMS, STOPPED, "the person has answered STOP")
    await suppressions.put("other", Channel.SMS, STOPPED, "asked for it by phone")
    await suppressions.put("acme", Channel.SMS, "+15550009999", "twilio 21610")
    await suppressions.put("acme", Channel.WHATSAPP, STOPPED, "twilio 21610")

    status = await say(app, Body="gern", OptOutType="START")

    assert status == 204
    assert await suppressed(world) == []
    assert await suppressed(world, "other") == [(STOPPED, "asked for it by phone")]
    assert set(await suppressed(world, "acme")) == {("+15550009999", "twilio 21610"), (STOPPED, "twilio 21610")}
    assert world.resources.metrics.receipts.labels("twilio", "opted_in")._value.get() == 1


@pytest.mark.parametrize("said", [{"Body": "STOP"}, {"Body": "hello"}, {"Body": "START", "To": "+15550001111"}])
async def test_any_other_message_is_heard_and_changes_nothing(world: World, app: App, said: dict[str, str]) -> None:
    await world.store.suppressions.put(TENANT, Channel.SMS, STOPPED, "twilio 21610")

    assert await say(app, **said) == 204
    assert len(await suppressed(world)) == 1


async def test_a_start_that_twilio_has_not_signed_is_refused(world: World, app: App) -> None:
    await world.store.suppressions.put(TENANT, Channel.SMS, STOPPED, "twilio 21610")

    assert await say(app, Body="START", signature="forged") == 403
    assert len(await suppressed(world)) == 1
