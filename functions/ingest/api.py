"""The intake's HTTP face."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from functions.ingest.accepting import Acceptance, Accepted
from functions.ingest.operations import GET_NOTIFICATION, POST_EVENTS
from functions.ingest.requests import read
from shared import cloudevents
from shared.access import Caller
from shared.auth import Gate
from shared.errors import Refused
from shared.headers import received
from shared.logs import CORRELATION
from shared.problems import problem
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import ApiWork, guarded, routes


class IngestApi(ApiWork):
    """POST /events and the status of what was posted."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        gate = Gate(resources.settings)
        self._acceptance = Acceptance(resources)
        super().__init__(
            routes(gate, {POST_EVENTS: self.post_events, GET_NOTIFICATION: self.get_notification}),
            exact={("POST", POST_EVENTS.path): guarded(gate, POST_EVENTS, self.post_events)},
        )

    async def post_events(self, request: Request, caller: Caller) -> Response:
        """Accept one event, or a CloudEvents batch. 202 means kept."""
        headers = received(request.scope["headers"])
        CORRELATION.set(headers.get("x-correlation-id", "")[:128] or None)
        if cloudevents.mode(headers) is cloudevents.Mode.BATCHED:
            body = await read_body(request, cloudevents.MAX_BATCH_BYTES)
            answers = await self._acceptance.accept(read(headers, body, tenant=caller.tenant))
            return _json(202, {"results": [_one_of_many(answer) for answer in answers]})
        body = await read_body(request)
        return _json(202, _document(await self._acceptance.accept_one(read(headers, body, tenant=caller.tenant)[0])))

    async def get_notification(self, request: Request, caller: Caller) -> Response:
        """Show a notification with its deliveries, attempts and timeline."""
        document = await self._resources.store.views.notification(caller.tenant, _id(request.path_params["id"]))
        if document is None:
            raise _unknown()
        return _json(200, document)

    async def close(self) -> None:
        """Announce what was accepted."""
        await self._acceptance.close()


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> Refused:
    return Refused(404, "Not found", "There is no notification with this id.")


def _document(answer: Accepted) -> dict[str, Any]:
    return {"id": str(answer.id), "status": answer.status}


def _one_of_many(answer: Accepted | Refused) -> dict[str, Any]:
    return {"problem": problem(answer)} if isinstance(answer, Refused) else _document(answer)


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status_code=status, media_type="application/json")
