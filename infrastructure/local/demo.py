"""Tell the story of six notifications against a private instance, and hold it to every word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import click

from infrastructure.local.private_instance import private_instance
from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for, token_for
from shared.errors import Permanent

PATIENCE_SECONDS = 60
UNACKNOWLEDGED_SECONDS = 3
PEOPLE = {
    "ada": "ada@example.test",
    "bo": "fails-3+bo@example.test",  # the mail server fails three times, then accepts
    "cy": "cy@example.test",
    "di": "refused+di@example.test",  # a hard bounce
}
ELI = {"name": "Eli", "phone": number_for(Behaviour.ACCEPTED), "telegram": chat_for(Behaviour.ACCEPTED)}
PHONE = token_for(Behaviour.ACCEPTED)
EVERYWHERE = ("sms", "whatsapp", "telegram", "push")


class DemoBroken(Permanent):
    """Something that was told did not happen."""


@dataclass
class Stage:
    """The instance that the story plays on."""

    http: aiohttp.ClientSession
    url: str
    told: list[str] = field(default_factory=list)

    async def call(self, method: str, path: str, document: Any = None) -> Any:
        """Call the API and return what it answered."""
        async with self.http.request(method, self.url + path, json=document) as answer:
            if answer.status >= 400:
                raise DemoBroken(f"{method} {path} was answered {answer.status}: {await answer.text()}")
            return await answer.json()

    async def post(self, event_type: str, user: str, message: str, channel: str | None = None) -> str:
        """Post one business event; return its notification's id."""
        data = {"message": message} | ({"preferred_channel": channel} if channel else {})
        answer = await self.call("POST", "/events", {"event_type": event_type, "user_id": user, "data": data})
        return str(answer["id"])

    async def until(self, key: str, status: str) -> dict[str, Any]:
        """Wait until a notification has a status."""
        document: dict[str, Any] = {}
        for _ in range(PATIENCE_SECONDS * 5):
            document = await self.call("GET", f"/api/v1/notifications/{key}")
            if document["status"] == status:
                return document
            await asyncio.sleep(0.2)
        raise DemoBroken(f"{key} is {document['status']}, not {status}: {document['reason']}")

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """Look into the sandbox's mailbox."""
        found: list[dict[str, Any]] = await self.call("GET", f"/sandbox/messages?channel=email&to={address}")
        return found


def demand(holds: bool, what: str) -> None:
    """Hold the story to its word.

    Raises:
        DemoBroken: it did not happen.
    """
    if not holds:
        raise DemoBroken(what)


async def mail(stage: Stage) -> list[str]:
    """An event becomes a mail."""
    key = await stage.post("order_created", "ada", "Order #42 confirmed", "email")
    await stage.until(key, "sent")
    mails = await stage.mails(PEOPLE["ada"])
    demand(any("Order #42 confirmed" in letter["text"] for letter in mails), "the mail is not in the mailbox")
    return [key]


async def websocket(stage: Stage) -> list[str]:
    """An event reaches an open WebSocket, and the client acknowledges it."""
    async with stage.http.ws_connect(f"{stage.url.replace('http', 'ws', 1)}/ws/ada?since=0") as socket:
        key = await stage.post("order_shipped", "ada", "Order #42 is on its way", "websocket")
        frame = await socket.receive_json(timeout=PATIENCE_SECONDS)
        demand(frame["id"] == key, "the socket got something else")
        await socket.send_json({"type": "ack", "id": key})
        await stage.until(key, "delivered")
    return [key]


async def retried(stage: Stage) -> list[str]:
    """The mail server fails three times; the fourth try, 2 + 4 + 8 s later, is accepted."""
    key = await stage.post("invoice_ready", "bo", "Your invoice is ready", "email")
    document = await stage.until(key, "sent")
    outcomes = [attempt["outcome"] for attempt in document["attempts"]]
    demand(outcomes == ["transient"] * 3 + ["accepted"], f"the attempts were {outcomes}")
    return [key]


async def fallback(stage: Stage) -> list[str]:
    """Nobody acknowledges the WebSocket message in time, so a mail follows."""
    key = await stage.post("door_opened", "cy", "Somebody opened the door")
    await stage.until(key, "sent")
    for _ in range(PATIENCE_SECONDS * 5):
        if await stage.mails(PEOPLE["cy"]):
            break
        await asyncio.sleep(0.2)
    document = await stage.until(key, "sent")
    reached = {delivery["channel"]: delivery["status"] for delivery in document["deliveries"]}
    demand(reached == {"websocket": "sent", "email": "sent"}, f"the deliveries are {reached}")
    return [key]


async def replayed(stage: Stage) -> list[str]:
    """Every channel fails; it is compensated and kept as a dead letter; the address is mended, and it is replayed."""
    key = await stage.post("password_changed", "di", "Your password was changed")
    await stage.until(key, "failed")
    letters = (await stage.call("GET", "/dead-letters"))["dead_letters"]
    letter = next((one for one in letters if one["notification_id"] == key), None)
    demand(letter is not None, "there is no dead letter")
    assert letter is not None
    await stage.call("PUT", "/users/di", {"name": "Di", "email": "di@example.test"})
    await stage.call("POST", f"/dead-letters/{letter['id']}/replay")
    document = await stage.until(key, "sent")
    demand(document["epoch"] == 1, "it is not the next epoch")
    return [key]


async def everywhere(stage: Stage) -> list[str]:
    """One event goes out by SMS, WhatsApp, Telegram and push at once."""
    key = await stage.post("alarm_raised", "eli", "Smoke in the kitchen")
    document = await stage.until(key, "sent")
    reached = {delivery["channel"]: delivery["status"] for delivery in document["deliveries"]}
    demand(reached == dict.fromkeys(EVERYWHERE, "sent"), f"the deliveries are {reached}")
    for channel in EVERYWHERE:
        seen = await stage.call("GET", f"/sandbox/messages?channel={channel}")
        demand(any("Smoke in the kitchen" in message["text"] for message in seen), f"nothing came by {channel}")
    return [key]


STORIES: dict[str, Callable[[Stage], Awaitable[list[str]]]] = {
    "1. A mail": mail,
    "2. A WebSocket message, acknowledged": websocket,
    "3. A mail that is retried after 2, 4 and 8 seconds": retried,
    "4. A WebSocket message that nobody acknowledges, so a mail follows": fallback,
    "5. A failure, its dead letter, and the replay": replayed,
    "6. One event by SMS, WhatsApp, Telegram and push at once": everywhere,
}


async def demo() -> None:
    """Play every story at once, then tell them in order.

    Raises:
        DemoBroken: something that was told did not happen.
    """
    async with private_instance() as instance, _stage(instance.url) as stage:
        for name, address in PEOPLE.items():
            await stage.call("PUT", f"/users/{name}", {"name": name.capitalize(), "email": address})
        await stage.call("PUT", "/users/eli", ELI)
        await stage.call("PUT", f"/users/eli/devices/{PHONE}", {"provider": "fcm", "platform": "android"})
        await stage.call("PUT", "/workflows/alarm_raised", {"channels": EVERYWHERE, "strategy": "all"})
        within = {"websocket": UNACKNOWLEDGED_SECONDS}
        rule = {"channels": ["websocket", "email"], "unless_delivered_within_seconds": within}
        await stage.call("PUT", "/workflows/door_opened", rule)
        await stage.call("PUT", "/workflows/password_changed", {"channels": ["email"]})
        ends = await asyncio.gather(*[story(stage) for story in STORIES.values()], return_exceptions=True)
        broken = []
        for title, end in zip(STORIES, ends, strict=True):
            click.secho(f"\n{title}", bold=True)
            if isinstance(end, BaseException):
                broken.append(f"{title}: {end!r}")
                click.secho(f"   did not happen: {end}", fg="red")
                continue
            for key in end:
                tell(await stage.call("GET", f"/api/v1/notifications/{key}"))
        if broken:
            raise DemoBroken("; ".join(broken))
        click.echo("\nAll of it happened.")


def tell(document: dict[str, Any]) -> None:
    """Print a saga's timeline."""
    click.echo(f"   {document['id']}  {document['event_type']} for {document['user_id']}: {document['status']}")
    for line in document["timeline"]:
        channel = line.get("channel", "")
        click.echo(f"   {line['at'][11:23]}  {channel:10} {line['what']:15} {line['why']}")


@asynccontextmanager
async def _stage(url: str) -> AsyncIterator[Stage]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        yield Stage(http=http, url=url)
