"""/health of what is no function: it answers, so it is alive."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.front import GET_HEALTH, GET_READINESS

ALIVE, READY = GET_HEALTH.path, GET_READINESS.path


async def _alive(request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def alive() -> Route:
    """Make the route."""
    return Route(ALIVE, _alive)
