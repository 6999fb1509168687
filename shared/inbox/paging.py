"""A page of an inbox, and where to go on listening from."""

from __future__ import annotations

import re
from typing import Any

from shared.errors import Refused
from shared.inbox.documents import write_item
from shared.store.inbox import Inbox, Place, Shelf

MOST_LISTED = 100
USUALLY_LISTED = 20

_CURSOR = re.compile(r"[0-9]{1,18}")


async def read_page(
    inbox: Inbox, tenant: str, user_id: str, *, shelf: Shelf = Shelf.ALL, cursor: str | None = None, limit: int
) -> dict[str, Any]:
    """Read a page as a document of `InboxPage`.

    Where to listen from is read first: what comes in between is told again, and nothing is missed.

    Raises:
        Refused: 422, the cursor is of no page.
    """
    before = None if cursor is None else _read_cursor(cursor)
    (stand,) = await inbox.news([Place(tenant, user_id)])
    found = await inbox.page(tenant, user_id, shelf, before=before, limit=limit + 1)
    following = str(found[limit - 1].cursor) if len(found) > limit else None
    return {
        "items": [write_item(item) for item in found[:limit]],
        "next_cursor": following,
        "unread": stand.unread,
        "since": stand.last,
        "change": stand.changes,
    }


def _read_cursor(text: str) -> int:
    if not _CURSOR.fullmatch(text):
        raise Refused(422, "Invalid cursor", "It must be the next_cursor of a page.", field="cursor")
    return int(text)
