"""Let a person or a test read what the stand-ins received, and turn the switches that make them misbehave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.sandbox.behaviours import Behaviour, chat_for, number_for, token_for
from infrastructure.sandbox.mailbox import Mailbox
from infrastructure.sandbox.moods import Moods, Outage
from infrastructure.sandbox.recipients import FATES
from shared import strict_json
from shared.auth import Keys
from shared.errors import Refused
from shared.problems import exception_handlers, refused_fields
from shared.requests import read_body
from shared.statuses import Channel

PREFIX = "/sandbox"
NEWEST_SHOWN = 100


class Switches(BaseModel):
    """How a provider's stand-in feels; what is left out is as when all is well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    error_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    outage: Outage | None = None

    @classmethod
    def of(cls, moods: Moods) -> Switches:
        """Read the switches of a stand-in."""
        return cls(latency_seconds=moods.latency_seconds, error_rate=moods.error_rate, outage=moods.outage)

    def turn(self, moods: Moods) -> None:
        """Turn the switches of a stand-in."""
        moods.latency_seconds, moods.error_rate, moods.outage = self.latency_seconds, self.error_rate, self.outage


class SandboxRoutes:
    """The sandbox's face, for those to whom the API is open."""

    def __init__(self, mailbox: Mailbox, moods: Mapping[str, Moods], keys: Keys) -> None:
        self._mailbox = mailbox
        self._moods = moods
        self._keys = keys

    async def messages(self, request: Request) -> Response:
        """List the newest messages, with `?to=` and `?channel=`; DELETE forgets them all."""
        self._keys.tenant(request.headers)
        if request.method == "DELETE":
            self._mailbox.clear()
            return Response(status_code=204)
        channel, to = _channel(request.query_params.get("channel")), request.query_params.get("to")
        found = self._mailbox.newest(NEWEST_SHOWN, channel=channel, to=to)
        return JSONResponse([message.as_record() for message in found])

    async def providers(self, request: Request) -> Response:
        """Show the switches of every stand-in."""
        self._keys.tenant(request.headers)
        return JSONResponse({name: Switches.of(moods).model_dump(mode="json") for name, moods in self._moods.items()})

    async def turn(self, request: Request) -> Response:
        """Turn the switches of one stand-in, all of them."""
        self._keys.tenant(request.headers)
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

    async def recipients(self, request: Request) -> Response:
        """List whom to write to for which misbehaviour."""
        self._keys.tenant(request.headers)
        return JSONResponse([_recipient(behaviour) for behaviour in Behaviour])


def sandbox_app(mailbox: Mailbox, moods: Mapping[str, Moods], keys: Keys) -> Starlette:
    """Serve what is below /sandbox."""
    face = SandboxRoutes(mailbox, moods, keys)
    routes = [
        Route(f"{PREFIX}/messages", face.messages, methods=["GET", "DELETE"]),
        Route(f"{PREFIX}/providers", face.providers),
        Route(f"{PREFIX}/providers/{{name}}", face.turn, methods=["PUT"]),
        Route(f"{PREFIX}/recipients", face.recipients),
    ]
    return Starlette(routes=routes, exception_handlers=exception_handlers())


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
        return Channel(name) if name else None
    except ValueError:
        raise Refused(422, "Unknown channel", "It is no channel of Carillon.", field="channel") from None
