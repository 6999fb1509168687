"""Make routes of a table of operations: each behind the gate, which tells its handler who calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from shared.access import Caller
from shared.auth import RATE_HEADERS
from shared.operations import Operation
from shared.problems import answer
from shared.step.definition import Endpoint

Handler = Callable[[Request, Caller], Awaitable[Response]]


class Guard(Protocol):
    """Who lets calls in, and says whose they are."""

    async def admit(self, connection: HTTPConnection, operation: Operation) -> Caller:
        """Let a call in."""


def guarded(gate: Guard, operation: Operation, handle: Handler) -> Endpoint:
    """Put a handler behind the gate."""

    async def endpoint(request: Request) -> Response:
        caller = await gate.admit(request, operation)
        if RATE_HEADERS not in request.scope:
            return await handle(request, caller)
        try:
            response = await handle(request, caller)
        except Exception as error:  # here, as in front: this answer, too, says what is left
            response = answer(error)
        for name, value in request.scope[RATE_HEADERS].items():
            response.headers.setdefault(name, value)
        return response

    return endpoint


def routes(gate: Guard, handlers: Mapping[Operation, Handler]) -> list[Route]:
    """Make the routes of a function's operations, in their order: where two fit an address, the first one takes it."""
    return [
        Route(operation.path, guarded(gate, operation, handle), methods=[operation.method])
        for operation, handle in handlers.items()
    ]
