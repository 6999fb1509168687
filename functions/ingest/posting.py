"""What clients post, over HTTP: events, and notifications on one channel. 202 means kept."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from functions.ingest.accepting import Accepted, FannedOut
from functions.ingest.direct import read_addressed, read_send
from functions.ingest.posting_operations import GET_FAN_OUT, POST_EVENTS, POST_NOTIFICATION, POST_SEND
from functions.ingest.requests import is_of_many, read
from functions.ingest.tracing import open_acceptance
from shared.access import Caller
from shared.cloudevents import MAX_BATCH_BYTES
from shared.errors import Refused
from shared.headers import Headers, received
from shared.logs import CORRELATION
from shared.operations import Operation
from shared.problems import problem
from shared.requests import read_body
from shared.runtime import Resources
from shared.step import Handler
from shared.template_check import TemplateCheck


class Posting:
    """The routes by which notifications come in, and the way of those for many users."""

    def __init__(self, resources: Resources) -> None:
        self._gate = resources.gate
        self._fan_outs = resources.store.fan_outs
        self._acceptance = open_acceptance(resources)
        self._templates = TemplateCheck(resources.store.templates)

    def handlers(self) -> dict[Operation, Handler]:
        """Say who does what."""
        return {
            POST_EVENTS: self.post_events,
            GET_FAN_OUT: self.get_fan_out,
            POST_SEND: self.post_send,
            POST_NOTIFICATION: self.post_notification,
        }

    async def post_events(self, request: Request, caller: Caller) -> Response:
        """Accept one event, or many."""
        headers = _headers(request)
        body = await read_body(request, MAX_BATCH_BYTES)
        items = read(headers, body, tenant=caller.tenant)
        if is_of_many(headers, body):
            await self._gate.charge(request, caller, len(items) - 1)
            answers = await self._acceptance.accept(items)
            return _json(202, {"results": [_one_of_many(answer) for answer in answers]})
        return _json(202, _document(await self._acceptance.accept_one(items[0])))

    async def post_send(self, request: Request, caller: Caller) -> Response:
        """Accept a template for a user on one channel."""
        headers = _headers(request)
        submission = read_send(await read_body(request), headers, caller.tenant)
        if submission.wishes.template is not None and submission.wishes.channel is not None:
            template, channel = submission.wishes.template, submission.wishes.channel
            await self._templates.require(caller.tenant, template, channel, submission.data)
        return _json(202, _document(await self._acceptance.accept_one(submission)))

    async def post_notification(self, request: Request, caller: Caller) -> Response:
        """Accept words for an address."""
        headers = _headers(request)
        submission = read_addressed(await read_body(request), headers, caller.tenant)
        return _json(202, _document(await self._acceptance.accept_one(submission)))

    async def get_fan_out(self, request: Request, caller: Caller) -> Response:
        """Show how far one event for many users has come."""
        document = await self._fan_outs.document(caller.tenant, _id(request.path_params["id"]))
        if document is None:
            raise _unknown()
        return _json(200, document)

    async def close(self) -> None:
        """Announce what was accepted."""
        await self._acceptance.close()


def _headers(request: Request) -> Headers:
    headers = received(request.scope["headers"])
    CORRELATION.set(headers.get("x-correlation-id", "")[:128] or None)
    return headers


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _unknown() from None


def _unknown() -> Refused:
    return Refused(404, "Not found", "There is no event for many users with this id.")


def _document(answer: Accepted | FannedOut) -> dict[str, Any]:
    if isinstance(answer, Accepted):
        return {"id": str(answer.id), "status": answer.status}
    return {"fan_out_id": str(answer.id), "status": answer.status, "total": answer.total}


def _one_of_many(answer: Accepted | FannedOut | Refused) -> dict[str, Any]:
    return {"problem": problem(answer)} if isinstance(answer, Refused) else _document(answer)


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status_code=status, media_type="application/json")
