"""A push message from the app's registration to the device: the real steps, the stand-ins behind them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from functions.deliver_push.main import push
from infrastructure.sandbox.behaviours import Behaviour, token_for
from infrastructure.sandbox.routes import sandbox_app
from shared import serve
from shared.auth import Keys
from shared.broker.topology import commands
from shared.outcomes import Letter, Outcome, Provider
from shared.statuses import Channel, NotificationStatus
from shared.step import delivery
from shared.store import Store
from tests.asgi import Answer, call
from tests.contract.push_server import Phones, phones
from tests.world import TENANT, USER, World

JSON = {"content-type": "application/json"}
EVENT: dict[str, Any] = {
    "event_type": "order_shipped",
    "user_id": 1,
    "id": "order-1",
    "data": {
        "message": "Your order is on its way.",
        "preferred_channel": "push",
        "options": {"push": {"data": {"order": "1"}}},
    },
}


class PushWorld(World):
    """A world in which push messages go to the stand-ins."""

    def __init__(self, store: Store, standing: Phones) -> None:
        self.standing = standing
        super().__init__(store)
        said = {"channels": "push,email", **standing.settings()}
        self.resources.settings = self.resources.settings.model_copy(update=said)
        self.push = push(self.resources)
        self.use(self.push)

    async def app(self, name: str, method: str, path: str, document: Any = None) -> Answer:
        """Call a function that clients call."""
        app = serve.build(name, self.resources)
        answer = await call(app, method, path, json.dumps(document).encode(), JSON)
        await app.drain()
        return answer

    async def register(self, token: str, provider: str = "fcm") -> None:
        """Register a device as an app does."""
        answer = await self.app("directory", "PUT", f"/users/{USER}/devices/{token}", {"provider": provider})
        assert answer.status == 200

    async def send_event(self) -> UUID:
        """Post an event that prefers push, and let everything happen that is due at once."""
        answer = await self.app("ingest", "POST", "/events", EVENT)
        await self.deliver_everything()
        return UUID(answer.document["id"])

    def use(self, provider: Provider) -> None:
        """Let a provider carry the push messages."""
        self.frames[commands(Channel.PUSH)] = self._open(delivery("deliver-push", Channel.PUSH, lambda _: provider))


@pytest.fixture
async def world(store: Store) -> AsyncIterator[PushWorld]:
    async with phones() as standing:
        world = PushWorld(store, standing)
        await world.settle_in()
        yield world
        await world.push.close()


async def test_an_event_that_prefers_push_is_shown_on_every_device_and_is_sent(world: PushWorld) -> None:
    await world.register(token_for(Behaviour.ACCEPTED))
    await world.register(token_for(Behaviour.ACCEPTED, 1), "onesignal")

    notification = await world.send_event()

    sandbox = sandbox_app(world.standing.mailbox, {}, Keys(world.resources.settings))
    seen = (await call(sandbox, "GET", "/sandbox/messages?channel=push")).document
    document = await world.document(notification)
    assert await world.status_of(notification) is NotificationStatus.SENT
    assert {(one["from"], one["subject"], one["text"]) for one in seen} == {
        ("fcm", "Order shipped", "Your order is on its way."),
        ("onesignal", "Order shipped", "Your order is on its way."),
    }
    assert {json.loads(one["headers"]["data"])["order"] for one in seen} == {"1"}
    (attempt,) = document["attempts"]
    assert (attempt["channel"], attempt["outcome"], attempt["reason"]) == ("push", "accepted", "2 of 2 devices took it")
    assert world.mail.letters == []


async def test_a_dead_device_is_forgotten_and_the_next_channel_is_tried(world: PushWorld) -> None:
    await world.register(token_for(Behaviour.REFUSED))

    notification = await world.send_event()

    assert await world.store.devices.of_user(TENANT, USER) == []
    assert await world.status_of(notification) is NotificationStatus.SENT
    assert await world.outcomes(notification) == ["permanent", "accepted"]
    assert len(world.mail.letters) == 1


async def test_a_device_that_registers_again_while_the_404_is_on_its_way_survives(world: PushWorld) -> None:
    token = token_for(Behaviour.REFUSED)
    await world.register(token)
    world.use(Meanwhile(world, token))

    notification = await world.send_event()

    assert [one.token for one in await world.store.devices.of_user(TENANT, USER)] == [token]
    assert await world.outcomes(notification) == ["permanent", "accepted"]


async def test_who_has_no_device_is_told_on_the_next_channel(world: PushWorld) -> None:
    notification = await world.send_event()

    assert await world.status_of(notification) is NotificationStatus.SENT
    assert await world.outcomes(notification) == ["accepted"]
    assert len(world.standing.mailbox) == 0


class Meanwhile:
    """The provider, and an app that starts between its answer and our record of it."""

    name, deadline_seconds, calls_at_once = "fcm", 15.0, 100

    def __init__(self, world: PushWorld, token: str) -> None:
        self._world, self._token = world, token

    async def send(self, letter: Letter) -> Outcome:
        """Send, and let the app register."""
        outcome = await self._world.push.send(letter)
        assert [device.token for device in outcome.dead_devices] == [self._token]
        await self._world.register(self._token)
        return outcome

    async def close(self) -> None:
        """Nothing of its own is held."""
