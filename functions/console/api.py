"""The operator's HTTP face: dead letters, suppressions, and the API's description."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.console.operations import GET_DEAD_LETTER, LIST_DEAD_LETTERS, REPLAY
from functions.console.reference import reference_handlers
from functions.console.suppressions import suppression_handlers
from shared import outbox
from shared.access import Caller
from shared.errors import Refused
from shared.runtime import Resources
from shared.saga import EventOwed
from shared.step import ApiWork, routes

SOURCE = "console"
STATUSES = ("open", "replayed", "resolved", "discarded")


class ConsoleApi(ApiWork):
    """What needs a person."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._letters = resources.store.dead_letters
        handlers = {LIST_DEAD_LETTERS: self.list_letters, GET_DEAD_LETTER: self.get_letter, REPLAY: self.replay}
        others = suppression_handlers(resources) | reference_handlers()
        super().__init__(routes(resources.gate, {**handlers, **others}))

    async def list_letters(self, request: Request, caller: Caller) -> Response:
        """List dead letters, newest first: `?status=open`."""
        status = request.query_params.get("status", "open")
        if status not in STATUSES:
            raise Refused(422, "Invalid filter", f"It must be one of {', '.join(STATUSES)}.", field="status")
        return JSONResponse({"dead_letters": await self._letters.listing(caller.tenant, status=status)})

    async def get_letter(self, request: Request, caller: Caller) -> Response:
        """Show one dead letter."""
        letter = await self._letters.get(caller.tenant, _id(request))
        if letter is None:
            raise _unknown()
        return JSONResponse(letter)

    async def replay(self, request: Request, caller: Caller) -> Response:
        """Start its saga over, as the next epoch. Twice clicked is once done."""
        key = _id(request)
        saga = await self._letters.replay(caller.tenant, key, by=caller.name)
        if saga is None:
            letter = await self._letters.get(caller.tenant, key)
            if letter is None:
                raise _unknown()
            raise Refused(409, "Not open", f"This dead letter is {letter['status']}, or holds no notification.")
        await self._resources.broker.publish([outbox.write(SOURCE, saga, EventOwed())])  # else the sweep brings it
        return JSONResponse({"id": str(saga.id), "status": saga.status.value, "epoch": saga.epoch}, status_code=202)


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise _unknown() from None


def _unknown() -> Refused:
    return Refused(404, "Not found", "There is no dead letter with this id.")
