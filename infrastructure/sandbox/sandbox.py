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
from infrastructure.sandbox.twilio import TWILIO, TwilioStandIn

STAND_INS: tuple[StandIn, ...] = (FCM, ONESIGNAL, Telegram(), TWILIO)


def stand_ins(twilio_auth_token: str | None) -> tuple[StandIn, ...]:
    """List the stand-ins, Twilio's with a token that its senders know already."""
    if twilio_auth_token is None:
        return STAND_INS
    return (FCM, ONESIGNAL, Telegram(), TwilioStandIn(twilio_auth_token))


class Sandbox:
    """The providers, on this machine. Their settings are for `infrastructure/local/providers.py` to write."""

    def __init__(self, stand_ins: tuple[StandIn, ...] = STAND_INS) -> None:
        self.mailbox = Mailbox()
        self.smtp = SandboxSmtp(self.mailbox)
        self.http = SandboxHttp(self.mailbox, stand_ins)
        self._running = AsyncExitStack()

    @property
    def moods(self) -> dict[str, Moods]:
        """The switches of each provider's stand-in."""
        return {"smtp": self.smtp.moods, **{name: room.moods for name, room in self.http.rooms.items()}}

    async def start(self, host: str = "127.0.0.1", *, smtp_port: int = 0, http_port: int = 0) -> None:
        """Listen; port 0 takes any that is free."""
        for server, port in ((self.smtp, smtp_port), (self.http, http_port)):
            self._running.push_async_callback(server.stop)
            await server.start(host, port)

    async def stop(self) -> None:
        """Cut what is open. What was received is still in the mailbox."""
        await self._running.aclose()
