"""Make routes of a table of operations: each behind the gate, which tells its handler who calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from shared.access import Caller
from shared.operations import Operation
from shared.problems import answer
from shared.rates import RATE_HEADERS
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
    """Make the routes of a function's operations, in their order: where two fit an address, the first one takes it.

    An address has one route for all of its methods: so a 405 names every one of them in `Allow` (RFC 9110 15.5.6).
    """
    by_path: dict[str, dict[str, Endpoint]] = {}
    for operation, handle in handlers.items():
        by_path.setdefault(operation.path, {})[operation.method] = guarded(gate, operation, handle)
    return [Route(path, _by_method(endpoints), methods=list(endpoints)) for path, endpoints in by_path.items()]


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return await endpoints["GET" if request.method == "HEAD" else request.method](request)

    return endpoint
