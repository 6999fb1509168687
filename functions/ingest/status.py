"""What became of notifications, over HTTP: to list them, to look at one, its words and why, and to call one back."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from functions.ingest.cancelling import cancel, document_of
from functions.ingest.explaining import explain, in_words
from functions.ingest.listing import ListQuery, write_page
from functions.ingest.status_documents import NotificationDocument
from functions.ingest.status_operations import (
    CANCEL_NOTIFICATION,
    EXPLAIN_NOTIFICATION,
    GET_MESSAGES,
    GET_NOTIFICATION,
    LIST_NOTIFICATIONS,
)
from shared.access import Caller
from shared.errors import Refused
from shared.operations import Operation
from shared.queries import read_query
from shared.runtime import Resources
from shared.statuses import NotificationStatus
from shared.step import Handler

FORMS = ("json", "text")


class StatusRoutes:
    """List, get, explain, and cancel."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page, the newest first."""
        query = read_query(request.query_params, ListQuery)
        listing = self._resources.store.listing
        page = await listing.page(caller.tenant, query.filter(), after=query.cursor, limit=query.limit)
        return _json(200, write_page(page).model_dump_json())

    async def get(self, request: Request, caller: Caller) -> Response:
        """Show a notification with its deliveries, attempts and timeline."""
        return _json(200, json.dumps(await self._read(request, caller)))

    async def explain(self, request: Request, caller: Caller) -> Response:
        """Explain it: `?format=text` for people."""
        form = request.query_params.get("format", "json")
        if form not in FORMS:
            raise Refused(422, "Invalid format", f"It must be one of {', '.join(FORMS)}.", field="format")
        explanation = explain(NotificationDocument.model_validate(await self._read(request, caller)))
        if form == "text":
            return PlainTextResponse(in_words(explanation))
        return _json(200, explanation.model_dump_json())

    async def messages(self, request: Request, caller: Caller) -> Response:
        """Show its words. They are the person's: nothing between us keeps them."""
        key = _id(request)
        found = await self._resources.store.views.messages(caller.tenant, key)
        if found is None:
            raise _unknown()
        answer = _json(200, json.dumps({"id": str(key), "messages": found}))
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def cancel(self, request: Request, caller: Caller) -> Response:
        """Call it back; 202 while that takes its time."""
        saga = await cancel(self._resources, caller.tenant, _id(request), caller.name)
        if saga is None:
            raise _unknown()
        is_over = saga.status is NotificationStatus.CANCELLED
        return _json(200 if is_over else 202, document_of(saga).model_dump_json())

    async def _read(self, request: Request, caller: Caller) -> dict[str, Any]:
        document = await self._resources.store.views.notification(caller.tenant, _id(request))
        if document is None:
            raise _unknown()
        return document


def status_handlers(resources: Resources) -> dict[Operation, Handler]:
    """Say who does what."""
    status = StatusRoutes(resources)
    return {
        LIST_NOTIFICATIONS: status.list,
        GET_NOTIFICATION: status.get,
        EXPLAIN_NOTIFICATION: status.explain,
        GET_MESSAGES: status.messages,
        CANCEL_NOTIFICATION: status.cancel,
    }


def _id(request: Request) -> UUID:
    try:
        return UUID(request.path_params["id"])
    except ValueError:
        raise _unknown() from None


def _unknown() -> Refused:
    return Refused(404, "Not found", "There is no notification with this id.")


def _json(status: int, body: str) -> Response:
    return Response(body, status_code=status, media_type="application/json")
