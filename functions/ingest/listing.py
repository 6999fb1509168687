"""Read what a client asks of a list, and write its pages."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from functions.ingest.status_documents import ListedDelivery, ListedNotification, NotificationPage
from functions.ingest.status_operations import MOST_LISTED, USUALLY_LISTED
from shared.queries import Cursor, Number, Time, Words, write_cursor
from shared.statuses import Channel, DeliveryStatus, NotificationStatus
from shared.store.listing import Filter, Listed, Page


class ListQuery(BaseModel):
    """The query of a list, as it stands in the address."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    user_id: Words | None = None
    status: NotificationStatus | None = None
    channel: Channel | None = None
    event_type: Words | None = None
    correlation_id: Words | None = None
    created_after: Time | None = None
    created_before: Time | None = None
    limit: Annotated[Number, Field(ge=1, le=MOST_LISTED)] = USUALLY_LISTED
    cursor: Cursor | None = None

    def filter(self) -> Filter:
        """Say which notifications are asked for."""
        return Filter(**{name: getattr(self, name) for name in Filter.__dataclass_fields__})


def write_page(page: Page) -> NotificationPage:
    """Write a page."""
    return NotificationPage(notifications=[_line(one) for one in page.found], next_cursor=write_cursor(page.following))


def _line(one: Listed) -> ListedNotification:
    return ListedNotification(
        id=str(one.id),
        user_id=one.user_id,
        event_type=one.event_type,
        status=NotificationStatus(one.status),
        reason=one.reason,
        correlation_id=one.correlation_id,
        epoch=one.epoch,
        created_at=one.created_at.isoformat(timespec="milliseconds"),
        updated_at=one.updated_at.isoformat(timespec="milliseconds"),
        deliveries=[
            ListedDelivery(channel=Channel(channel), status=DeliveryStatus(status))
            for channel, status in one.deliveries
        ],
    )
