"""What is offered about a person's inbox. The gateway leads `/users` here (docs/decisions)."""

from __future__ import annotations

from functions.directory.inbox_documents import MarkAnswer, MarkDocument, ReadDocument
from shared.access import Access
from shared.inbox import InboxPage
from shared.inbox.paging import MOST_LISTED, USUALLY_LISTED
from shared.operations import CURSOR, JSON, Answer, Operation, Parameter
from shared.store.inbox import Shelf

INBOX = "/users/{id}/inbox"
USER_ID = Parameter(
    name="id",
    about="The user's id.",
    schema={"type": "string", "pattern": r"^[^\x00-\x1f\x7f-\x9f/]{1,128}$"},
    place="path",
)
_EXAMPLE = {"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"]}

LIST_INBOX = Operation(
    name="list_inbox",
    method="GET",
    path=INBOX,
    access=Access.PERSON,
    summary="List a page of a person's inbox, the newest first, with how many wait unread.",
    tag="inbox",
    parameters=(
        USER_ID,
        Parameter(
            name="status",
            about="`unread`: neither read nor archived; `all`: whatever is not archived; `archived`.",
            schema={"enum": [shelf.value for shelf in Shelf], "default": Shelf.ALL.value},
        ),
        Parameter(
            name="limit",
            about="At most so many.",
            schema={"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUALLY_LISTED},
        ),
        CURSOR,
    ),
    gives={200: Answer(about="A page.", model=InboxPage)},
    refuses=frozenset({422}),
)
READ_INBOX = Operation(
    name="read_inbox",
    method="POST",
    path=f"{INBOX}/read",
    access=Access.PERSON,
    summary="Mark messages as read: their deliveries become `read`.",
    tag="inbox",
    parameters=(USER_ID,),
    takes={JSON: ReadDocument},
    gives={200: Answer(about="What came of it.", model=MarkAnswer)},
    refuses=frozenset({400, 422}),
    example=_EXAMPLE,
)


def _marking(name: str, verb: str, summary: str) -> Operation:
    return Operation(
        name=name,
        method="POST",
        path=f"{INBOX}/{verb}",
        access=Access.PERSON,
        summary=summary,
        tag="inbox",
        parameters=(USER_ID,),
        takes={JSON: MarkDocument},
        gives={200: Answer(about="What came of it.", model=MarkAnswer)},
        refuses=frozenset({400, 422}),
        example=_EXAMPLE,
    )


UNREAD_INBOX = _marking("unread_inbox", "unread", "Mark messages as unread. What was reported as read stays so.")
ARCHIVE_INBOX = _marking("archive_inbox", "archive", "Put messages into the archive: they are listed there alone.")
UNARCHIVE_INBOX = _marking("unarchive_inbox", "unarchive", "Take messages out of the archive.")
INBOX_OPERATIONS = (LIST_INBOX, READ_INBOX, UNREAD_INBOX, ARCHIVE_INBOX, UNARCHIVE_INBOX)
