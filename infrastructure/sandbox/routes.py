"""Let a person or a test read what the stand-ins received, and turn the switches that make them misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for, token_for
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods
from infrastructure.sandbox.operations import (
    FORGET_MESSAGES,
    LIST_MESSAGES,
    LIST_PROVIDERS,
    LIST_RECIPIENTS,
    TURN_PROVIDER,
    Switches,
)
from infrastructure.sandbox.recipients import FATES
from shared import strict_json
from shared.access import Caller
from shared.auth import Keys
from shared.errors import Refused
from shared.problems import exception_handlers, refused_fields
from shared.requests import read_body
from shared.statuses import Channel
from shared.step import routes

NEWEST_SHOWN = 100


class SandboxRoutes:
    """The sandbox's face, for those to whom the API is open."""

    def __init__(self, mailbox: Mailbox, moods: Mapping[str, Moods]) -> None:
        self._mailbox = mailbox
        self._moods = moods

    async def messages(self, request: Request, caller: Caller) -> Response:
        """List the newest messages, with `?to=` and `?channel=`."""
        channel, to = _channel(request.query_params.get("channel")), request.query_params.get("to")
        found = self._mailbox.newest(NEWEST_SHOWN, channel=channel, to=to)
        return JSONResponse([message.as_record() for message in found])

    async def forget(self, request: Request, caller: Caller) -> Response:
        """Forget them all."""
        self._mailbox.clear()
        return Response(status_code=204)

    async def providers(self, request: Request, caller: Caller) -> Response:
        """Show the switches of every stand-in."""
        return JSONResponse({name: Switches.of(moods).model_dump(mode="json") for name, moods in self._moods.items()})

    async def turn(self, request: Request, caller: Caller) -> Response:
        """Turn the switches of one stand-in, all of them."""
        moods = self._moods.get(request.path_params["name"])
        if moods is None:
            raise Refused(404, "Not found", f"The sandbox stands in for {', '.join(self._moods)}.", field="name")
        body = await read_body(request)
        strict_json.parse(body)
        try:
            switches = Switches.model_validate_json(body)
        except ValidationError as broken:
            raise refused_fields(broken) from None
        switches.turn(moods)
        return JSONResponse(switches.model_dump(mode="json"))

    async def recipients(self, request: Request, caller: Caller) -> Response:
        """List whom to write to for which misbehaviour."""
        return JSONResponse([_recipient(behaviour) for behaviour in Behaviour])


def sandbox_app(mailbox: Mailbox, moods: Mapping[str, Moods], gate: Keys) -> Starlette:
    """Serve what is below /sandbox."""
    face = SandboxRoutes(mailbox, moods)
    handlers = {
        LIST_MESSAGES: face.messages,
        FORGET_MESSAGES: face.forget,
        LIST_PROVIDERS: face.providers,
        TURN_PROVIDER: face.turn,
        LIST_RECIPIENTS: face.recipients,
    }
    return Starlette(routes=routes(gate, handlers), exception_handlers=exception_handlers())


def _recipient(behaviour: Behaviour) -> dict[str, Any]:
    mail = f"{behaviour}@example.test" if behaviour in FATES or behaviour is Behaviour.ACCEPTED else None
    number = number_for(behaviour)
    return {
        "behaviour": behaviour.value,
        "email": mail,
        "sms": number,
        "whatsapp": number,
        "telegram": chat_for(behaviour),
        "push": token_for(behaviour),
    }


def _channel(name: str | None) -> Channel | None:
    try:
        return Channel(name) if name is not None else None
    except ValueError:
        raise Refused(422, "Unknown channel", "It is no channel of Carillon.", field="channel") from None
