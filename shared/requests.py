"""Read a request's body, of bounded size."""

from __future__ import annotations

from starlette.requests import Request

from shared.strict_json import MAX_BYTES, too_large


async def read_body(request: Request, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a body.

    Raises:
        Refused: 413, before more than that is in memory.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)
