"""What the intake offers."""

from __future__ import annotations

from functions.ingest.status_operations import STATUS_OPERATIONS
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
OPERATIONS = (POST_EVENTS, *STATUS_OPERATIONS)
