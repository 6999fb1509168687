"""Let a person or a test read what the stand-ins received."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from infrastructure.sandbox.mailbox import Mailbox
from shared.auth import Keys
from shared.errors import Refused
from shared.problems import exception_handlers
from shared.statuses import Channel

PREFIX = "/sandbox"
NEWEST_SHOWN = 100


def sandbox_app(mailbox: Mailbox, keys: Keys) -> Starlette:
    """Serve GET /sandbox/messages, newest first, with `?to=` and `?channel=`; to whom the API is open."""

    async def messages(request: Request) -> JSONResponse:
        keys.tenant(request.headers)
        found = mailbox.newest(
            NEWEST_SHOWN, channel=_channel(request.query_params.get("channel")), to=request.query_params.get("to")
        )
        return JSONResponse([message.as_record() for message in found])

    return Starlette(routes=[Route(f"{PREFIX}/messages", messages)], exception_handlers=exception_handlers())


def _channel(name: str | None) -> Channel | None:
    try:
        return Channel(name) if name else None
    except ValueError:
        raise Refused(422, "Unknown channel", "It is no channel of Carillon.", field="channel") from None
