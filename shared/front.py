"""What every function has in front of its own work: /health, /health/ready, /metrics, and the way to its routes."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Literal

from prometheus_client import Counter
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.access import Access
from shared.errors import Transient
from shared.metrics import Metrics
from shared.operations import Answer, Operation
from shared.problems import ProblemAnswers, answer, exception_handlers
from shared.runtime import Resources
from shared.step import Endpoint


class Alive(BaseModel):
    """It answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """What it stands on. Without the broker it is degraded, and works: what is kept now is published later."""

    status: Literal["ok", "degraded", "unavailable"]
    database: bool
    broker: bool


GET_HEALTH = Operation(
    name="get_health",
    method="GET",
    path="/health",
    access=Access.PUBLIC,
    summary="Tell that it is alive.",
    tag="health",
    gives={200: Answer(about="It is.", model=Alive)},
)
GET_READINESS = Operation(
    name="get_readiness",
    method="GET",
    path="/health/ready",
    access=Access.PUBLIC,
    summary="Tell whether it can work.",
    tag="health",
    gives={
        200: Answer(about="It can.", model=Readiness),
        503: Answer(about="It cannot: the database is away.", model=Readiness),
    },
)
GET_METRICS = Operation(
    name="get_metrics",
    method="GET",
    path="/metrics",
    access=Access.PUBLIC,
    summary="Show what is counted and measured, for Prometheus. On a cluster each pod has its own, inside alone.",
    tag="health",
    gives={200: Answer(about="Lines of numbers.", media_type="text/plain")},
)
OPERATIONS = (GET_HEALTH, GET_READINESS, GET_METRICS)


class RequestCounts:
    """The figures of one function's requests."""

    def __init__(self, name: str, metrics: Metrics) -> None:
        self._name = name
        self._metrics = metrics
        self._seconds = metrics.request_seconds.labels(name)
        self._by_code: dict[int, Counter] = {}

    def note(self, code: int, took_seconds: float) -> None:
        """Count one that was answered."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._metrics.requests.labels(self._name, str(code))
        counter.inc()
        self._seconds.observe(took_seconds)

    def listening(self, send: Send, began: float) -> Send:
        """Pass an answer on, and count it at its end."""
        code = 0

        async def listen(message: Message) -> None:
            nonlocal code
            await send(message)
            if message["type"] == "http.response.start":
                code = message["status"]
            elif not message.get("more_body", False):
                self.note(code, perf_counter() - began)

        return listen


class Front:
    """What stands before the routes of a function: exact addresses by a look-up, the rest through Starlette.

    Of a request's cost, Starlette's two middlewares and its list of patterns are a third (measured): an address that
    every notification passes does not pay it. Both ways answer errors as problem documents.
    """

    def __init__(
        self, exact: Mapping[tuple[str, str], Endpoint], routes: list[BaseRoute], counts: RequestCounts
    ) -> None:
        self._exact = exact
        self._counts = counts
        self._rest: ASGIApp = Starlette(routes=routes, exception_handlers=exception_handlers())
        self._guarded = ProblemAnswers(self._rest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._guarded(scope, receive, send)
            return
        began = perf_counter()
        endpoint = self._exact.get((scope["method"], scope["path"]))
        if endpoint is None:
            await self._guarded(scope, receive, self._counts.listening(send, began))
            return
        try:
            response = await endpoint(Request(scope, receive))
        except Exception as error:  # nothing was sent yet
            response = answer(error)
        await response(scope, receive, send)
        self._counts.note(response.status_code, perf_counter() - began)


def watching(resources: Resources) -> list[BaseRoute]:
    """List the routes by which a function is watched."""

    async def metrics(request: Request) -> Response:
        await resources.observer.look()
        content_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(resources.metrics.render(), headers={"content-type": content_type})

    async def alive(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        parts = {"database": await _answers(resources), "broker": resources.broker.is_ready}
        # The broker is disposable: without it the intake still keeps, so a function is ready with Postgres alone.
        status = "ok" if all(parts.values()) else "degraded" if parts["database"] else "unavailable"
        return JSONResponse({"status": status, **parts}, status_code=200 if parts["database"] else 503)

    return [
        Route(operation.path, endpoint)
        for operation, endpoint in ((GET_METRICS, metrics), (GET_READINESS, ready), (GET_HEALTH, alive))
    ]


async def _answers(resources: Resources) -> bool:
    try:
        return await resources.store.is_ready()
    except Transient:
        return False
