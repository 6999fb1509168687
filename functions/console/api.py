"""The operator's HTTP face: dead letters and suppressions."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from functions.console.suppressions import suppression_routes
from shared import outbox
from shared.auth import Keys
from shared.errors import Refused
from shared.runtime import Resources
from shared.saga import EventOwed
from shared.step import ApiWork

SOURCE = "console"
STATUSES = ("open", "replayed", "resolved", "discarded")


class ConsoleApi(ApiWork):
    """What needs a person."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._letters = resources.store.dead_letters
        self._keys = Keys(resources.settings)
        super().__init__(
            [
                Route("/dead-letters", self.list_letters),
                Route("/dead-letters/{id}", self.get_letter),
                Route("/dead-letters/{id}/replay", self.replay, methods=["POST"]),
                *suppression_routes(resources, self._keys),
            ]
        )

    async def list_letters(self, request: Request) -> Response:
        """List dead letters, newest first: `?status=open`."""
        tenant = self._keys.tenant(request.headers)
        status = request.query_params.get("status", "open")
        if status not in STATUSES:
            raise Refused(422, "Invalid filter", f"It must be one of {', '.join(STATUSES)}.", field="status")
        return JSONResponse({"dead_letters": await self._letters.listing(tenant, status=status)})

    async def get_letter(self, request: Request) -> Response:
        """Show one dead letter."""
        tenant = self._keys.tenant(request.headers)
        letter = await self._letters.get(tenant, _id(request))
        if letter is None:
            raise _unknown()
        return JSONResponse(letter)

    async def replay(self, request: Request) -> Response:
        """Start its saga over, as the next epoch. Twice clicked is once done."""
        tenant = self._keys.tenant(request.headers)
        key = _id(request)
        saga = await self._letters.replay(tenant, key, by="api")
        if saga is None:
            letter = await self._letters.get(tenant, key)
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
