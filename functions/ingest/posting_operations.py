"""What can be posted to the intake."""

from __future__ import annotations

from functions.ingest.cloud_event_documents import CloudEvent, CloudEventBatch
from functions.ingest.documents import Addressed, FanOutDocument, Kept, Posted, PostedEvents, SendRequest
from shared.access import Access
from shared.events import BATCH_CONTENT_TYPE, CONTENT_TYPE
from shared.operations import JSON, Answer, Operation, Parameter

IDEMPOTENCY_KEY = Parameter(
    name="Idempotency-Key",
    about="The same key with the same body is the same notification; with another body it is refused.",
    schema={"type": "string", "pattern": "^[!-~]{1,255}$"},
    place="header",
)
CORRELATION_ID = Parameter(
    name="X-Correlation-ID",
    about="What this is a part of: it is kept, logged and shown.",
    schema={"type": "string", "pattern": "^[!-~]{1,128}$"},
    place="header",
)
TRACEPARENT = Parameter(
    name="traceparent",
    about="The W3C trace that every step goes on with.",
    schema={"type": "string"},
    place="header",
)
_HEADERS = (IDEMPOTENCY_KEY, CORRELATION_ID, TRACEPARENT)

POST_EVENTS = Operation(
    name="post_events",
    method="POST",
    path="/events",
    access=Access.SEND,
    summary="Post one event, for one user or for many, or an array of them; plain or as CloudEvents. 202 means kept.",
    tag="events",
    about=(
        "Several forms make the same notification: a plain event; a CloudEvent, structured as here or binary with its "
        "attributes in `ce-` headers; and many of either, each of which is answered for itself."
    ),
    takes={JSON: PostedEvents, CONTENT_TYPE: CloudEvent, BATCH_CONTENT_TYPE: CloudEventBatch},
    gives={202: Answer(about="It is kept.", model=Posted)},
    refuses=frozenset({400, 413, 415, 422}),
    parameters=_HEADERS,
    example={
        "event_type": "order_created",
        "user_id": 1,
        "timestamp": "2024-06-01T12:00:00Z",
        "data": {"message": "Order #42 confirmed", "preferred_channel": "email"},
    },
)
GET_FAN_OUT = Operation(
    name="get_fan_out",
    method="GET",
    path="/events/fan-outs/{id}",
    access=Access.READ,
    summary="Show how far one event for many users has come.",
    tag="events",
    gives={200: Answer(about="How far it is.", model=FanOutDocument)},
    refuses=frozenset({404}),
)
POST_SEND = Operation(
    name="send_notification",
    method="POST",
    path="/notifications/send",
    access=Access.SEND,
    summary="Send a template, or a message as it is, to a user on exactly one channel.",
    tag="notifications",
    takes={JSON: SendRequest},
    gives={202: Answer(about="It is kept.", model=Kept)},
    refuses=frozenset({400, 413, 415, 422}),
    parameters=_HEADERS,
    example={"user_id": 1, "channel": "email", "variables": {"message": "Your order is on its way."}},
)
POST_NOTIFICATION = Operation(
    name="post_notification",
    method="POST",
    path="/api/v1/notifications",
    access=Access.SEND,
    summary="Send a subject and a message, as they are, to an address.",
    tag="notifications",
    takes={JSON: Addressed},
    gives={202: Answer(about="It is kept.", model=Kept)},
    refuses=frozenset({400, 413, 415, 422}),
    parameters=_HEADERS,
    example={
        "type": "email",
        "recipient": "ada@example.com",
        "subject": "Your order",
        "message": "It is on its way.",
    },
)
POSTING = (POST_EVENTS, GET_FAN_OUT, POST_SEND, POST_NOTIFICATION)
