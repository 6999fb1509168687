"""The HTTP face towards providers, and towards readers who have had enough."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from functions.callbacks.mail import MAX_BYTES, read_mail
from functions.callbacks.onesignal import read_event
from functions.callbacks.operations import (
    ASK_TO_UNSUBSCRIBE,
    HEAR_MAIL,
    HEAR_ONESIGNAL,
    HEAR_TWILIO,
    HEAR_TWILIO_MESSAGE,
    UNSUBSCRIBE,
)
from functions.callbacks.opting_in import OptingIn
from functions.callbacks.reports import Reports
from functions.callbacks.twilio import TwilioDoor
from functions.callbacks.unsubscribing import Unsubscribing
from shared.access import Caller
from shared.errors import Refused
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import ApiWork, routes


class CallbacksApi(ApiWork):
    """Callbacks and unsubscribing. A callback that is understood is answered 204, whatever it changes."""

    def __init__(self, resources: Resources) -> None:
        self._reports = Reports(resources)
        self._opting_in = OptingIn(resources)
        self._twilio = TwilioDoor(resources.settings)
        unsubscribing = Unsubscribing(resources)
        super().__init__(
            routes(
                resources.gate,
                {
                    HEAR_TWILIO: self.hear_twilio,
                    HEAR_TWILIO_MESSAGE: self.hear_twilio_message,
                    HEAR_ONESIGNAL: self.hear_onesignal,
                    HEAR_MAIL: self.hear_mail,
                    ASK_TO_UNSUBSCRIBE: unsubscribing.ask,
                    UNSUBSCRIBE: unsubscribing.stop,
                },
            )
        )

    async def hear_twilio(self, request: Request, caller: Caller) -> Response:
        """Take a status callback, by its signature."""
        await self._reports.take("twilio", await self._twilio.read(request))
        return Response(status_code=204)

    async def hear_twilio_message(self, request: Request, caller: Caller) -> Response:
        """Take a message of a person to us, by its signature."""
        await self._opting_in.take(await self._twilio.read_form(request))
        return Response(status_code=204)

    async def hear_onesignal(self, request: Request, caller: Caller) -> Response:
        """Take an event of a stream, by an API key."""
        await self._reports.take("onesignal", read_event(caller.tenant, await read_body(request)))
        return Response(status_code=204)

    async def hear_mail(self, request: Request, caller: Caller) -> Response:
        """Take what came back of a mail, by an API key."""
        body = await read_body(request, MAX_BYTES)
        if not body:
            raise Refused(400, "Empty body", "There is no report in it.", field="body")
        await self._reports.take("email", read_mail(caller.tenant, request.headers.get("content-type", ""), body))
        return Response(status_code=204)
