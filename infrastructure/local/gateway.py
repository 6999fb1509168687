"""One address for all functions: a dispatcher by the route table of `knative/base/gateway.yaml`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infrastructure.local.applications import AsgiApp, Dismissing
from infrastructure.local.records import Route
from shared.errors import Refused
from shared.problems import answer

NORMAL_CLOSE, TRY_AGAIN_LATER = 1000, 1013


class RouteTable:
    """Which function a request belongs to: the longest prefix wins, then a rule with a method, then the first one."""

    def __init__(self, routes: Iterable[Route]) -> None:
        found = sorted(routes, key=lambda route: (-len(_stem(route.prefix)), not route.methods))
        self._routes = [(_stem(route.prefix), _stem(route.prefix) + "/", route) for route in found]

    def find(self, path: str, method: str) -> str | None:
        """Return the service's name. A prefix ends where a path segment ends: /events takes no /eventsource."""
        for stem, below, route in self._routes:
            if (path == stem or path.startswith(below)) and (not route.methods or method in route.methods):
                return route.service
        return None


class Gateway:
    """The ASGI application in front of the functions, or of the proxies that lead to them."""

    def __init__(self, routes: Iterable[Route], backends: Mapping[str, AsgiApp]) -> None:
        self._table = RouteTable(routes)
        self._backends = backends

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request or a WebSocket on."""
        service = self._table.find(scope["path"], scope.get("method", "GET"))
        backend = self._backends.get(service) if service else None
        if backend:
            await backend(scope, receive, send)
        elif service:
            await refuse(scope, receive, send, unavailable(f"{service} does not run here."))
        else:
            await refuse(scope, receive, send, Refused(404, "Not found", "There is nothing at this address."))

    async def dismiss(self) -> None:
        """Let those go who would stay, before the server waits for all who are here."""
        for backend in self._backends.values():
            if isinstance(backend, Dismissing):
                await backend.dismiss()


def _stem(prefix: str) -> str:
    return prefix.rstrip("/")


def unavailable(detail: str) -> Refused:
    """Say that a function cannot be reached now."""
    return Refused(503, "Temporarily unavailable", detail, retry_after_seconds=1.0)


async def refuse(scope: Any, receive: Any, send: Any, refused: Refused) -> None:
    """Answer with a problem document, or close a WebSocket before it opens."""
    if scope["type"] != "websocket":
        await answer(refused)(scope, receive, send)
        return
    await receive()
    code = TRY_AGAIN_LATER if refused.status == 503 else NORMAL_CLOSE
    await send({"type": "websocket.close", "code": code, "reason": refused.detail})
