"""What lists have in common: how their queries are read, and where the next page begins."""

from __future__ import annotations

import re
import struct
from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from shared.problems import FieldsRefused, refused_fields
from shared.store.listing import Place
from shared.timestamps import read_timestamp

TITLE = "Invalid filter"
PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]+$"
_CURSOR = ">q16s"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Model = TypeVar("Model", bound=BaseModel)


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


Words = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=256),
    AfterValidator(_readable),
    Field(json_schema_extra={"pattern": PRINTABLE}),
]
Time = Annotated[datetime, BeforeValidator(_time)]
Number = Annotated[int, BeforeValidator(_number)]
"""As it stands in an address: digits."""
Cursor = Annotated[Place, BeforeValidator(_place)]


def read_query(query: QueryParams, model: type[Model]) -> Model:
    """Read the query of a list.

    Raises:
        Refused: 422, with every field that is wrong.
    """
    names = [name for name, _ in query.multi_items()]
    twice = [(name, "It must be there once.") for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise FieldsRefused(422, TITLE, twice)
    try:
        return model.model_validate(dict(query))
    except ValidationError as broken:
        raise refused_fields(broken, title=TITLE) from None


def write_cursor(place: Place | None) -> str | None:
    """Write where the next page begins; None where there is none."""
    if place is None:
        return None
    microseconds = (place.created_at - _BEGINNING) // timedelta(microseconds=1)
    return urlsafe_b64encode(struct.pack(_CURSOR, microseconds, place.id.bytes)).decode()
