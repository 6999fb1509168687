"""What is offered to who wants to know what became of notifications, or wants one back."""

from __future__ import annotations

from functions.ingest.status_documents import (
    CancellationDocument,
    Explanation,
    MessagesDocument,
    NotificationDocument,
    NotificationPage,
)
from shared.access import Access
from shared.operations import CURSOR, Answer, Operation, Parameter
from shared.statuses import Channel, NotificationStatus

NOTIFICATIONS = "/api/v1/notifications"
MOST_LISTED = 100
USUALLY_LISTED = 50

_TEXT = {"type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$"}
_TIME = {"type": "string", "format": "date-time"}

LIST_NOTIFICATIONS = Operation(
    name="list_notifications",
    method="GET",
    path=NOTIFICATIONS,
    access=Access.READ,
    summary="List notifications, the newest first.",
    tag="notifications",
    parameters=(
        Parameter(name="user_id", about="Those for this user.", schema=_TEXT),
        Parameter(
            name="status", about="Those with this status.", schema={"enum": [s.value for s in NotificationStatus]}
        ),
        Parameter(
            name="channel", about="Those asked for on this channel.", schema={"enum": [c.value for c in Channel]}
        ),
        Parameter(name="event_type", about="Those of this event type.", schema=_TEXT),
        Parameter(name="correlation_id", about="Those posted with this correlation id.", schema=_TEXT),
        Parameter(name="created_after", about="Those accepted at this time or later.", schema=_TIME),
        Parameter(name="created_before", about="Those accepted before this time.", schema=_TIME),
        Parameter(
            name="limit",
            about="At most so many. A page can be shorter and still have a next one.",
            schema={"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": USUALLY_LISTED},
        ),
        CURSOR,
    ),
    gives={200: Answer(about="A page.", model=NotificationPage)},
    refuses=frozenset({422}),
)
GET_NOTIFICATION = Operation(
    name="get_notification",
    method="GET",
    path=f"{NOTIFICATIONS}/{{id}}",
    access=Access.READ,
    summary="Show a notification with its deliveries, attempts and timeline.",
    tag="notifications",
    gives={200: Answer(about="The notification.", model=NotificationDocument)},
    refuses=frozenset({404}),
)
EXPLAIN_NOTIFICATION = Operation(
    name="explain_notification",
    method="GET",
    path=f"{NOTIFICATIONS}/{{id}}/explain",
    access=Access.READ,
    summary="Explain a notification: why this channel, why not each other one, why now, why again.",
    tag="notifications",
    parameters=(
        Parameter(
            name="format",
            about="`text` for people, a line for each rule; JSON if it is left out.",
            schema={"enum": ["json", "text"], "default": "json"},
        ),
    ),
    gives={200: Answer(about="Every rule with its inputs.", model=Explanation, other_media_types=("text/plain",))},
    refuses=frozenset({404, 422}),
)
GET_MESSAGES = Operation(
    name="get_notification_messages",
    method="GET",
    path=f"{NOTIFICATIONS}/{{id}}/messages",
    access=Access.READ,
    summary="Show what a notification says on each of its channels, as it was rendered.",
    tag="notifications",
    gives={200: Answer(about="Its words.", model=MessagesDocument)},
    refuses=frozenset({404}),
)
CANCEL_NOTIFICATION = Operation(
    name="cancel_notification",
    method="POST",
    path=f"{NOTIFICATIONS}/{{id}}/cancel",
    access=Access.SEND,
    summary="Call a notification back: nothing more is sent, and what was sent is undone where that is possible.",
    tag="notifications",
    gives={
        200: Answer(about="It is cancelled.", model=CancellationDocument),
        202: Answer(about="It will be: a call is under way, or is being undone.", model=CancellationDocument),
    },
    refuses=frozenset({404, 409}),
)
STATUS_OPERATIONS = (LIST_NOTIFICATIONS, GET_NOTIFICATION, EXPLAIN_NOTIFICATION, GET_MESSAGES, CANCEL_NOTIFICATION)
