"""The intake's HTTP face."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.ingest.accepting import Acceptance, Accepted
from functions.ingest.operations import POST_EVENTS
from functions.ingest.requests import read
from functions.ingest.status import status_handlers
from shared import cloudevents
from shared.access import Caller
from shared.errors import Refused
from shared.headers import received
from shared.logs import CORRELATION
from shared.problems import problem
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import ApiWork, guarded, routes


class IngestApi(ApiWork):
    """POST /events, and what became of what was posted."""

    def __init__(self, resources: Resources) -> None:
        gate = self._gate = resources.gate
        self._acceptance = Acceptance(resources)
        super().__init__(
            routes(gate, {POST_EVENTS: self.post_events, **status_handlers(resources)}),
            exact={("POST", POST_EVENTS.path): guarded(gate, POST_EVENTS, self.post_events)},
        )

    async def post_events(self, request: Request, caller: Caller) -> Response:
        """Accept one event, or a CloudEvents batch. 202 means kept."""
        headers = received(request.scope["headers"])
        CORRELATION.set(headers.get("x-correlation-id", "")[:128] or None)
        if cloudevents.mode(headers) is cloudevents.Mode.BATCHED:
            body = await read_body(request, cloudevents.MAX_BATCH_BYTES)
            submissions = read(headers, body, tenant=caller.tenant)
            await self._gate.charge(request, caller, len(submissions) - 1)
            answers = await self._acceptance.accept(submissions)
            return _json(202, {"results": [_one_of_many(answer) for answer in answers]})
        body = await read_body(request)
        return _json(202, _document(await self._acceptance.accept_one(read(headers, body, tenant=caller.tenant)[0])))

    async def close(self) -> None:
        """Announce what was accepted."""
        await self._acceptance.close()


def _document(answer: Accepted) -> dict[str, Any]:
    return {"id": str(answer.id), "status": answer.status}


def _one_of_many(answer: Accepted | Refused) -> dict[str, Any]:
    return {"problem": problem(answer)} if isinstance(answer, Refused) else _document(answer)


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status_code=status, media_type="application/json")
