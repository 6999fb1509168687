"""Read what a client says: in the address, in the query, and in the body."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from shared import strict_json
from shared.errors import Refused
from shared.problems import refused_fields
from shared.requests import read_body

Model = TypeVar("Model", bound=BaseModel)

LARGEST_BODY = 1_048_576
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_VERSION = re.compile(r"[1-9][0-9]{0,8}")


async def read_document(request: Request, model: type[Model]) -> Model:
    """Read the body as a document of one kind; an empty one where nothing must be said.

    Raises:
        Refused: 400, 413 or 422.
    """
    body = await read_body(request, LARGEST_BODY) or b"{}"
    return await asyncio.to_thread(_validated, body, model)  # hundreds of templates take a second to check


def _validated(body: bytes, model: type[Model]) -> Model:
    strict_json.parse(body, LARGEST_BODY)  # what it refuses, pydantic would let through: duplicate keys, NaN, \u0000
    try:
        return model.model_validate_json(body)
    except ValidationError as broken:
        raise refused_fields(broken) from None


def name_in(request: Request) -> str:
    """Read the name in the address.

    Raises:
        Refused: 422.
    """
    return _matching(request.path_params["name"], _NAME, "name", "A name has letters, digits, dots, - and _.")


def version_in(request: Request) -> int:
    """Read the version in the address.

    Raises:
        Refused: 422.
    """
    return int(_matching(request.path_params["version"], _VERSION, "version", "A version is a number from 1."))


def name_cursor(request: Request) -> str:
    """Read behind which name a page begins.

    Raises:
        Refused: 422.
    """
    cursor = request.query_params.get("cursor")
    return "" if cursor is None else _matching(cursor, _NAME, "cursor", "It must be the next_cursor of a page.")


def version_cursor(request: Request) -> int:
    """Read before which version a page begins.

    Raises:
        Refused: 422.
    """
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return 2**31 - 1
    return int(_matching(cursor, _VERSION, "cursor", "It must be the next_cursor of a page."))


def _matching(text: str, pattern: re.Pattern[str], field: str, rule: str) -> str:
    if not pattern.fullmatch(text):
        raise Refused(422, f"Invalid {field}", rule, field=field)
    return text
