"""Read a request's body, of bounded size."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from shared import strict_json
from shared.problems import refused_fields
from shared.strict_json import MAX_BYTES, too_large

Model = TypeVar("Model", bound=BaseModel)


async def read_document(request: Request, model: type[Model], *, or_empty: bool = False) -> Model:
    """Read the body as a document of one kind; with `or_empty`, no body is an empty document.

    Raises:
        Refused: 400, 413 or 422.
    """
    body = await read_body(request)
    if or_empty and not body.strip():
        body = b"{}"
    strict_json.parse(body)  # what it refuses, pydantic would let through: duplicate keys, NaN, \u0000
    try:
        return model.model_validate_json(body)
    except ValidationError as broken:
        raise refused_fields(broken) from None


async def read_body(request: Request, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a body.

    Raises:
        Refused: 413, before more than that is in memory.
    """
    message = await request.receive()
    if message["type"] == "http.request" and not message.get("more_body"):  # nearly always: all of it at once
        body: bytes = message.get("body", b"")
        if len(body) > max_bytes:
            raise too_large(max_bytes)
        return body
    chunks, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)
        message = await request.receive()
