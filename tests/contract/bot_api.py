"""What the Telegram tests share: the stand-in, a client of it, and letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from functions.deliver_telegram.provider import TelegramProvider
from infrastructure.sandbox.http import Act, Room, SandboxHttp
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.telegram import TOKEN, Telegram
from shared.outcomes import Letter
from shared.statuses import Channel

CHAT = "4711"
PATIENT_SECONDS = 15.0
IMPATIENT_SECONDS = 0.4


class Stage:
    """The stand-in, listening."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.http = SandboxHttp(self.mailbox, [Telegram()])

    @property
    def room(self) -> Room:
        """Telegram's own."""
        return self.http.rooms["telegram"]

    @property
    def url(self) -> str:
        """What TELEGRAM_BASE_URL says."""
        return f"{self.http.url}/telegram"

    @property
    def connections(self) -> int:
        """How many connections are open, as the server sees it."""
        server = self.http._runner.server
        return sum(one.transport is not None for one in server.connections) if server else 0

    def texts(self, chat: str = CHAT) -> list[str]:
        """List what is in a chat, oldest first."""
        return [message.content.text for message in reversed(self.mailbox.newest(to=chat))]

    def script(self, *acts: Act, chat: str = CHAT) -> None:
        """Let the next calls for a chat fare like that."""
        self.room.will_answer(chat, *acts)


@asynccontextmanager
async def sandbox() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.http.start()
    try:
        yield stage
    finally:
        await stage.http.stop()


@asynccontextmanager
async def client(
    url: str, deadline_seconds: float = PATIENT_SECONDS, token: str = TOKEN
) -> AsyncIterator[TelegramProvider]:
    provider = TelegramProvider(token, url, deadline_seconds)
    try:
        yield provider
    finally:
        await provider.close()


def letter(chat: str = CHAT, text: str = "Your order is on its way.", subject: str = "", **options: Any) -> Letter:
    return Letter(
        notification_id=uuid4(),
        tenant="default",
        user_id="1",
        channel=Channel.TELEGRAM,
        address=chat,
        subject=subject,
        text=text,
        idempotency_key=uuid4(),
        options=options,
    )


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what is watched are a server's own counts
            await asyncio.sleep(0.005)
