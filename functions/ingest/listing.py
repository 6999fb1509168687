"""Read what a client asks of a list, and write its pages."""

from __future__ import annotations

import re
import struct
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from functions.ingest.status_documents import ListedDelivery, ListedNotification, NotificationPage
from functions.ingest.status_operations import MOST_LISTED, USUALLY_LISTED
from shared.problems import FieldsRefused, refused_fields
from shared.statuses import Channel, DeliveryStatus, NotificationStatus
from shared.store.listing import Filter, Listed, Page, Place
from shared.timestamps import read_timestamp

TITLE = "Invalid filter"
_CURSOR = ">q16s"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def _readable(value: str) -> str:
    if _NOT_IN_TEXT.search(value):  # Postgres takes no NUL, and nothing that we keep holds the others
        raise PydanticCustomError("text", "It must not hold control characters")
    return value


def _time(value: object) -> object:
    moment = read_timestamp(value) if isinstance(value, str) else None
    if moment is None:
        raise PydanticCustomError("timestamp", "It must be an RFC 3339 timestamp, such as 2026-11-20T10:00:00Z")
    return moment


def _number(value: object) -> object:
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value)):
        raise PydanticCustomError("number", "It must be a number")
    return int(value)


def _place(value: object) -> object:
    try:
        microseconds, key = struct.unpack(_CURSOR, b64decode(str(value).encode("ascii"), altchars=b"-_", validate=True))
        return Place(_BEGINNING + timedelta(microseconds=microseconds), UUID(bytes=key))
    except (ValueError, OverflowError, struct.error):
        raise PydanticCustomError("cursor", "It must be the next_cursor of a page") from None


Words = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_readable)]
Time = Annotated[datetime, BeforeValidator(_time)]


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
    limit: Annotated[int, BeforeValidator(_number), Field(ge=1, le=MOST_LISTED)] = USUALLY_LISTED
    cursor: Annotated[Place, BeforeValidator(_place)] | None = None

    def filter(self) -> Filter:
        """Say which notifications are asked for."""
        return Filter(**{name: getattr(self, name) for name in Filter.__dataclass_fields__})


def read_query(query: QueryParams) -> ListQuery:
    """Read the query.

    Raises:
        Refused: 422, with every field that is wrong.
    """
    names = [name for name, _ in query.multi_items()]
    twice = [(name, "It must be there once.") for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise FieldsRefused(422, TITLE, twice)
    try:
        return ListQuery.model_validate(dict(query))
    except ValidationError as broken:
        raise refused_fields(broken, title=TITLE) from None


def write_page(page: Page) -> NotificationPage:
    """Write a page."""
    following = _write_cursor(page.following) if page.following else None
    return NotificationPage(notifications=[_line(one) for one in page.found], next_cursor=following)


def _write_cursor(place: Place) -> str:
    microseconds = (place.created_at - _BEGINNING) // timedelta(microseconds=1)
    return urlsafe_b64encode(struct.pack(_CURSOR, microseconds, place.id.bytes)).decode()


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
