"""All stand-ins over one mailbox: what the providers that are not configured are replaced by."""

from __future__ import annotations

from contextlib import AsyncExitStack

from infrastructure.sandbox.fcm import FCM
from infrastructure.sandbox.http import SandboxHttp, StandIn
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods
from infrastructure.sandbox.onesignal import ONESIGNAL
from infrastructure.sandbox.smtp import SandboxSmtp
from infrastructure.sandbox.telegram import Telegram
from infrastructure.sandbox.twilio import TWILIO

STAND_INS: tuple[StandIn, ...] = (FCM, ONESIGNAL, Telegram(), TWILIO)


class Sandbox:
    """The providers, on this machine. Their settings are for `infrastructure/local/providers.py` to write."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.smtp = SandboxSmtp(self.mailbox)
        self.http = SandboxHttp(self.mailbox, STAND_INS)
        self._running = AsyncExitStack()

    @property
    def moods(self) -> dict[str, Moods]:
        """The switches of each provider's stand-in."""
        return {"smtp": self.smtp.moods, **{name: room.moods for name, room in self.http.rooms.items()}}

    async def start(self) -> None:
        """Listen, on loopback, at ports that are free."""
        for server in (self.smtp, self.http):
            self._running.push_async_callback(server.stop)
            await server.start()

    async def stop(self) -> None:
        """Cut what is open. What was received is still in the mailbox."""
        await self._running.aclose()
