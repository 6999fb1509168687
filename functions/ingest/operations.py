"""What the intake offers."""

from __future__ import annotations

from shared.access import Access
from shared.operations import JSON, Answer, Operation

POST_EVENTS = Operation(
    name="post_events",
    method="POST",
    path="/events",
    access=Access.SEND,
    summary="Post one event, plain or as a CloudEvent, or a batch of CloudEvents. 202 means kept.",
    tag="events",
    takes={JSON: None, "application/cloudevents+json": None, "application/cloudevents-batch+json": None},
    gives={202: Answer(about="It is kept.")},
    refuses=frozenset({400, 422}),
)
GET_NOTIFICATION = Operation(
    name="get_notification",
    method="GET",
    path="/api/v1/notifications/{id}",
    access=Access.READ,
    summary="Show a notification with its deliveries, attempts and timeline.",
    tag="notifications",
    gives={200: Answer(about="The notification.")},
    refuses=frozenset({404}),
)
OPERATIONS = (POST_EVENTS, GET_NOTIFICATION)
