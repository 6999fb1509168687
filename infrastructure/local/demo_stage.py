"""The instance that a demo's stories play on, and what it takes to hold them to their word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import click

from infrastructure.local.private_instance import private_instance
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.smtp import SandboxSmtp
from shared.errors import Permanent

PATIENCE_SECONDS = 60
LOOK_EVERY_SECONDS = 0.2
FIRST, SPARE = "first", "spare"
"""The two mail servers. The spare one is asked when the first has trouble."""


class DemoBroken(Permanent):
    """Something that was told did not happen."""


@dataclass
class Stage:
    """The instance that the story plays on."""

    http: aiohttp.ClientSession
    url: str
    mailbox: Mailbox
    first: SandboxSmtp

    async def call(self, method: str, path: str, document: Any = None) -> Any:
        """Call the API and return what it answered."""
        async with self.http.request(method, self.url + path, json=document) as answer:
            if answer.status >= 400:
                raise DemoBroken(f"{method} {path} was answered {answer.status}: {await answer.text()}")
            return await answer.json() if answer.status != 204 else None

    async def post(self, event_type: str, user: str, message: str, channel: str | None = None) -> str:
        """Post one business event; return its notification's id."""
        data = {"message": message} | ({"preferred_channel": channel} if channel else {})
        answer = await self.call("POST", "/events", {"event_type": event_type, "user_id": user, "data": data})
        return str(answer["id"])

    async def until(self, key: str, status: str) -> dict[str, Any]:
        """Wait until a notification has a status."""
        document: dict[str, Any] = {}
        for _ in range(int(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
            document = await self.call("GET", f"/api/v1/notifications/{key}")
            if document["status"] == status:
                return document
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise DemoBroken(f"{key} is {document['status']}, not {status}: {document['reason']}")

    async def until_reached(self, key: str, wanted: dict[str, str]) -> dict[str, Any]:
        """Wait until the channels of a notification stand as wanted."""
        document: dict[str, Any] = {}
        for _ in range(int(PATIENCE_SECONDS / LOOK_EVERY_SECONDS)):
            document = await self.call("GET", f"/api/v1/notifications/{key}")
            if reached(document) == wanted:
                return document
            await asyncio.sleep(LOOK_EVERY_SECONDS)
        raise DemoBroken(f"the deliveries of {key} are {reached(document)}, not {wanted}")

    def mails(self, address: str) -> list[str]:
        """Read the texts of the mails to an address."""
        return [mail.content.text for mail in self.mailbox.newest(100, to=address)]

    async def messages(self, channel: str) -> list[str]:
        """Read the texts of the messages that the sandbox has received on a channel."""
        return [message["text"] for message in await self.call("GET", f"/sandbox/messages?channel={channel}")]


def demand(holds: bool, what: str) -> None:
    """Hold the story to its word.

    Raises:
        DemoBroken: it did not happen.
    """
    if not holds:
        raise DemoBroken(what)


def reached(document: dict[str, Any]) -> dict[str, str]:
    """Say where each channel of a notification stands."""
    return {delivery["channel"]: delivery["status"] for delivery in document["deliveries"]}


def tell(document: dict[str, Any]) -> None:
    """Print a saga's timeline."""
    click.echo(f"   {document['id']}  {document['event_type']} for {document['user_id']}: {document['status']}")
    for line in document["timeline"]:
        channel = line.get("channel", "")
        click.echo(f"   {line['at'][11:23]}  {channel:10} {line['what']:15} {line['why']}")


@asynccontextmanager
async def open_stage() -> AsyncIterator[Stage]:
    """Start two mail servers and a private instance that sends by them, and end them."""
    mailbox = Mailbox()
    first, spare = SandboxSmtp(mailbox), SandboxSmtp(mailbox)
    for server in (first, spare):
        await server.start()
    servers = f"{first.url}?name={FIRST}&weight=100 {spare.url}?name={SPARE}"
    try:
        async with private_instance(SMTP_URL=servers) as instance:
            timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
            async with aiohttp.ClientSession(timeout=timeout) as http:
                yield Stage(http=http, url=instance.url, mailbox=mailbox, first=first)
    finally:
        for server in (first, spare):
            await server.stop()
