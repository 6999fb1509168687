"""The HTTP face towards providers, and towards readers who have had enough."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from functions.callbacks.mail import MAX_BYTES, read_mail
from functions.callbacks.onesignal import read_event
from functions.callbacks.reports import Reports
from functions.callbacks.twilio import TwilioDoor
from functions.callbacks.unsubscribing import Unsubscribing
from shared.auth import Keys
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import ApiWork


class CallbacksApi(ApiWork):
    """Callbacks and unsubscribing. A callback that is understood is answered 204, whatever it changes."""

    def __init__(self, resources: Resources) -> None:
        self._keys = Keys(resources.settings)
        self._reports = Reports(resources)
        self._twilio = TwilioDoor(resources.settings)
        unsubscribing = Unsubscribing(resources)
        super().__init__(
            [
                Route("/callbacks/twilio", self.hear_twilio, methods=["POST"]),
                Route("/callbacks/onesignal", self.hear_onesignal, methods=["POST"]),
                Route("/callbacks/email", self.hear_mail, methods=["POST"]),
                Route("/unsubscribe/{token}", unsubscribing.ask, methods=["GET"]),
                Route("/unsubscribe/{token}", unsubscribing.stop, methods=["POST"]),
            ]
        )

    async def hear_twilio(self, request: Request) -> Response:
        """Take a status callback, by its signature."""
        await self._reports.take("twilio", await self._twilio.read(request))
        return Response(status_code=204)

    async def hear_onesignal(self, request: Request) -> Response:
        """Take an event of a stream, by an API key."""
        tenant = self._keys.tenant(request.headers)
        await self._reports.take("onesignal", read_event(tenant, await read_body(request)))
        return Response(status_code=204)

    async def hear_mail(self, request: Request) -> Response:
        """Take what came back of a mail, by an API key."""
        tenant = self._keys.tenant(request.headers)
        body = await read_body(request, MAX_BYTES)
        await self._reports.take("email", read_mail(tenant, request.headers.get("content-type", ""), body))
        return Response(status_code=204)
