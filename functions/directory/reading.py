"""Read what a client says: in the address, and in the body."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from shared import strict_json
from shared.errors import Refused
from shared.problems import refused_fields
from shared.requests import read_body

Model = TypeVar("Model", bound=BaseModel)

USER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,128}")


async def read_document(request: Request, model: type[Model], max_bytes: int = strict_json.MAX_BYTES) -> Model:
    """Read the body as a document of one kind.

    Raises:
        Refused: 400, 413 or 422.
    """
    body = await read_body(request, max_bytes)
    strict_json.parse(body, max_bytes)  # what it refuses, pydantic would let through: duplicate keys, NaN, \u0000
    try:
        return model.model_validate_json(body)
    except ValidationError as broken:
        raise refused_fields(broken) from None


def answer(document: BaseModel, status: int = 200) -> JSONResponse:
    """Write a document, by the names that clients know."""
    return JSONResponse(document.model_dump(mode="json", by_alias=True), status_code=status)


def read_path(request: Request, name: str, pattern: re.Pattern[str]) -> str:
    """Read a part of the address.

    Raises:
        Refused: 422.
    """
    value: str = request.path_params[name]
    if not pattern.fullmatch(value):
        raise Refused(422, "Invalid address", "It holds characters that it must not.", field=name)
    return value
