"""SMS and WhatsApp from the event to the phone: the real steps, the real SDK, a real Postgres, Twilio's stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from functions.deliver_sms.main import FUNCTION as DELIVER_SMS
from functions.deliver_whatsapp.main import FUNCTION as DELIVER_WHATSAPP
from infrastructure.local.providers import sandboxed
from infrastructure.sandbox.behaviours import Behaviour, number_for
from infrastructure.sandbox.mailbox import Received
from infrastructure.sandbox.sandbox import Sandbox
from infrastructure.sandbox.twilio import TWILIO
from shared.broker.topology import commands
from shared.statuses import Channel, NotificationStatus
from shared.step import Frame
from shared.store import Store
from shared.store.directory import User
from tests.world import TENANT, USER, World

SMS, WHATSAPP, WEBSOCKET = Channel.SMS, Channel.WHATSAPP, Channel.WEBSOCKET
SENT = NotificationStatus.SENT
PHONE = "+15551234567"
TEXT = "Your order is on its way."
TEMPLATE = f"HX{'1' * 32}"


class TwilioWorld(World):
    """A world with both of Twilio's channels, over the sandbox, as the embedded default has them."""

    def __init__(self, store: Store, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.opened: list[Frame] = []
        super().__init__(store)

    def restart(self) -> None:
        """End every step and start it anew."""
        settings = self.resources.settings.model_copy(update={"channels": "sms,whatsapp,websocket"})
        self.resources.settings = settings.model_copy(update=sandboxed(settings, self.sandbox))
        super().restart()
        ours = {commands(SMS): self._open(DELIVER_SMS), commands(WHATSAPP): self._open(DELIVER_WHATSAPP)}
        self.frames |= ours
        self.opened += ours.values()

    @property
    def phone(self) -> list[Received]:
        """What has arrived, oldest first."""
        return self.sandbox.mailbox.newest()[::-1]

    @property
    def calls(self) -> list[str]:
        """What Twilio was asked."""
        return list(self.sandbox.http.rooms[TWILIO.name].calls)


Moving = Callable[..., Awaitable[TwilioWorld]]


@pytest.fixture
async def moved_in(store: Store) -> AsyncIterator[Moving]:
    """Let a person move in who has a phone."""
    async with AsyncExitStack() as stack:

        async def move_in(phone: str = PHONE, workflow: dict[str, Any] | None = None) -> TwilioWorld:
            sandbox = Sandbox()
            stack.push_async_callback(sandbox.stop)
            await sandbox.start()
            world = TwilioWorld(store, sandbox)
            stack.push_async_callback(end, world)
            await world.settle_in(workflow or {"channels": ["sms", "whatsapp", "websocket"]})
            await store.directory.put_users(TENANT, [User(id=USER, phone=phone)])
            return world

        yield move_in


async def end(world: TwilioWorld) -> None:
    for frame in world.opened:
        await frame.drain()


@pytest.mark.parametrize("channel", [SMS, WHATSAPP])
async def test_an_event_that_prefers_a_channel_of_twilios_reaches_the_phone(moved_in: Moving, channel: Channel) -> None:
    world = await moved_in()
    notification = await world.post(prefers=channel)

    await world.deliver_everything()

    assert await world.status_of(notification) is SENT
    (message,) = world.phone
    assert (message.channel, message.to, message.content.text) == (channel, PHONE, TEXT)
    assert await world.outcomes(notification) == ["accepted"]
    (attempt,) = (await world.document(notification))["attempts"]
    assert attempt["provider"] == f"twilio-{channel}"


async def test_what_twilio_took_before_the_line_was_cut_arrives_once(moved_in: Moving) -> None:
    world = await moved_in(number_for(Behaviour.CUT))
    notification = await world.post(prefers=SMS)

    await world.live_on()

    assert await world.status_of(notification) is SENT
    assert await world.outcomes(notification) == ["ambiguous", "accepted"]
    assert [message.content.text for message in world.phone] == [TEXT]
    assert world.calls[-1].startswith("look-up")


async def test_what_never_reached_twilio_is_sent_after_all(moved_in: Moving) -> None:
    world = await moved_in(number_for(Behaviour.RESET))
    notification = await world.post(prefers=SMS)
    await world.deliver_everything()
    world.sandbox.http.rooms[TWILIO.name].will_answer(number_for(Behaviour.RESET), Behaviour.ACCEPTED)

    await world.live_on()

    assert await world.status_of(notification) is SENT
    assert await world.outcomes(notification) == ["ambiguous", "accepted"]
    assert len(world.phone) == 1


async def test_who_answered_stop_is_not_asked_again_and_hears_of_it_elsewhere(moved_in: Moving) -> None:
    world = await moved_in(number_for(Behaviour.BLOCKED), {"channels": ["sms", "websocket"]})
    first = await world.post("order-1")
    await world.deliver_everything()

    second = await world.post("order-2")
    await world.deliver_everything()

    assert [await world.status_of(one) for one in (first, second)] == [SENT, SENT]
    assert world.calls == [number_for(Behaviour.BLOCKED)]
    assert len(await world.store.inbox.since(TENANT, USER, 0)) == 2


async def test_a_throttle_waits_as_twilio_says_and_uses_up_no_try(moved_in: Moving) -> None:
    world = await moved_in(number_for(Behaviour.THROTTLED))
    notification = await world.post(prefers=SMS)
    await world.deliver_everything()
    world.sandbox.http.rooms[TWILIO.name].will_answer(number_for(Behaviour.THROTTLED), Behaviour.ACCEPTED)

    await world.turn_clock(29)
    await world.deliver_everything()
    called_early = len(world.calls)
    await world.live_on(seconds=2)

    assert called_early == 1
    assert await world.outcomes(notification) == ["throttled", "accepted"]
    assert await world.value("tries", notification, SMS) == 1


async def test_whatsapp_gets_the_template_that_the_workflow_names(moved_in: Moving) -> None:
    options = {"whatsapp": {"content_sid": TEMPLATE, "content_variables": {"1": "Ada"}}}
    world = await moved_in(workflow={"channels": ["whatsapp"], "options": options})
    await world.post()

    await world.deliver_everything()

    (message,) = world.phone
    assert message.content.headers == {"ContentSid": TEMPLATE, "ContentVariables": '{"1": "Ada"}'}
    assert message.content.text == ""
