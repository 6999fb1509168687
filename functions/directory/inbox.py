"""A person's inbox over HTTP: a page of it, and marks. Who has it open elsewhere hears of them at once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from functions.directory.inbox_documents import MarkAnswer, MarkDocument, ReadDocument
from functions.directory.inbox_operations import ARCHIVE_INBOX, LIST_INBOX, READ_INBOX, UNARCHIVE_INBOX, UNREAD_INBOX
from functions.directory.reading import USER_ID, answer, read_document, read_path
from shared.access import Caller
from shared.errors import Refused
from shared.inbox import Marking, read_page
from shared.inbox.paging import MOST_LISTED, USUALLY_LISTED
from shared.operations import Operation
from shared.runtime import Resources
from shared.step import Handler
from shared.store.inbox import Mark, Place, Shelf


class InboxRoutes:
    """List and mark."""

    def __init__(self, resources: Resources, marking: Marking) -> None:
        self._inbox, self._marking = resources.store.inbox, marking

    async def list(self, request: Request, caller: Caller) -> Response:
        """List a page, newest first."""
        key, query = read_path(request, "id", USER_ID), request.query_params
        shelf, limit = _shelf(query.get("status", Shelf.ALL)), _limit(query.get("limit", str(USUALLY_LISTED)))
        page = await read_page(self._inbox, caller.tenant, key, shelf=shelf, cursor=query.get("cursor"), limit=limit)
        return JSONResponse(page)

    async def read(self, request: Request, caller: Caller) -> Response:
        """Mark as read: some messages, or all of them up to a cursor."""
        key, document = read_path(request, "id", USER_ID), await read_document(request, ReadDocument)
        if document.is_about_all:
            changed = await self._marking.read_all(caller.tenant, key, document.last)
        else:
            changed = await self._marking.mark(caller.tenant, key, Mark.READ, document.ids)
        return await self._answer(caller, key, changed)

    async def unread(self, request: Request, caller: Caller) -> Response:
        """Mark as unread."""
        return await self._mark(request, caller, Mark.UNREAD)

    async def archive(self, request: Request, caller: Caller) -> Response:
        """Put into the archive."""
        return await self._mark(request, caller, Mark.ARCHIVE)

    async def unarchive(self, request: Request, caller: Caller) -> Response:
        """Take out of the archive."""
        return await self._mark(request, caller, Mark.UNARCHIVE)

    async def _mark(self, request: Request, caller: Caller, mark: Mark) -> Response:
        key, document = read_path(request, "id", USER_ID), await read_document(request, MarkDocument)
        changed = await self._marking.mark(caller.tenant, key, mark, document.ids)
        return await self._answer(caller, key, changed)

    async def _answer(self, caller: Caller, key: str, changed: int) -> Response:
        (stand,) = await self._inbox.news([Place(caller.tenant, key)])
        return answer(MarkAnswer(changed=changed, unread=stand.unread))


def inbox_handlers(resources: Resources, marking: Marking) -> dict[Operation, Handler]:
    """Say who does what."""
    inbox = InboxRoutes(resources, marking)
    return {
        LIST_INBOX: inbox.list,
        READ_INBOX: inbox.read,
        UNREAD_INBOX: inbox.unread,
        ARCHIVE_INBOX: inbox.archive,
        UNARCHIVE_INBOX: inbox.unarchive,
    }


def _shelf(text: str) -> Shelf:
    if text not in {shelf.value for shelf in Shelf}:
        raise Refused(422, "Invalid filter", f"It must be one of {', '.join(Shelf)}.", field="status")
    return Shelf(text)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST_LISTED):
        raise Refused(422, "Invalid filter", f"It must be a number from 1 to {MOST_LISTED}.", field="limit")
    return int(text)
