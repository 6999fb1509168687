"""What clients post as CloudEvents: for the specification. `functions/ingest/requests.py` reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, WithJsonSchema

from functions.ingest.documents import Content
from functions.ingest.fields import MAX_SOURCE_BYTES, MOMENT, WRITTEN, EventType, UserId
from shared.cloudevents import MAX_BATCH

CLOUD_EXAMPLE: dict[str, JsonValue] = {
    "specversion": "1.0",
    "id": "order-42",
    "source": "/shop",
    "type": "order_created",
    "subject": "1",
    "data": {"message": "Order #42 confirmed", "preferred_channel": "email"},
}

Word = Annotated[str, Field(pattern=WRITTEN, max_length=1024)]
Id = Annotated[str, Field(pattern=WRITTEN, max_length=255)]
Moment = Annotated[datetime | None, WithJsonSchema(MOMENT)]


class CloudEventData(Content):
    """A plain event's data, and whose it is."""

    model_config = ConfigDict(extra="allow")

    user_id: Annotated[UserId | None, Field(description="If it is left out, the event's subject is the user.")] = None


class CloudEvent(BaseModel):
    """An event as CloudEvents 1.0 write it: `source` and `id` are its idempotency key, `type` is the event type.

    The user is `data.user_id`, else `subject`. The extension `expirytime` is a plain event's `expires_at`,
    `collapsekey` its `collapse_key`.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [CLOUD_EXAMPLE]})

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, Field(pattern=WRITTEN, max_length=MAX_SOURCE_BYTES)]
    type: EventType
    subject: Word | None = None
    time: Moment = None
    datacontenttype: Annotated[str | None, Field(description="JSON, if it is there.")] = None
    dataschema: Word | None = None
    data: CloudEventData


class CloudEventBatch(RootModel[Annotated[list[CloudEvent], Field(max_length=MAX_BATCH)]]):
    """Several CloudEvents, each answered for itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [[CLOUD_EXAMPLE, {**CLOUD_EXAMPLE, "id": "order-43"}]]})
