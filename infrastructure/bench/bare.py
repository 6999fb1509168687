"""A bare Starlette route, a process of its own: `python -m infrastructure.bench.bare ""`.

It answers 202 to every event and does nothing else, over the same HTTP server as Carillon: what a request costs before
anybody has looked at it. It says on which port it listens, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infrastructure.local.server import HttpServer, listen


async def answer(request: Request) -> Response:
    """Say yes."""
    return JSONResponse({"id": "none", "status": "accepted"}, status_code=202)


async def serve() -> None:
    """Answer until standard input ends."""
    with listen("127.0.0.1", 0) as listener:
        server = HttpServer(Starlette(routes=[Route("/events", answer, methods=["POST"])]), listener)
        await server.start()
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await server.stop()


if __name__ == "__main__":
    import uvloop

    uvloop.run(serve())
