"""Read a request's body, of bounded size."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from shared.strict_json import MAX_BYTES, too_large


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
