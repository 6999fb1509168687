"""The ingress of a Knative Broker on RabbitMQ, as far as a publisher sees it (measured on the real one)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from shared.events import CONTENT_TYPE


class Ingress:
    """POST to / exactly, a CloudEvent with an id, a source and a type, in structured mode; then 202."""

    def __init__(self) -> None:
        self.url = ""
        self.events: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.status = 202
        self.headers: dict[str, str] = {}
        self.cuts = 0
        self.connections: set[object] = set()
        self.under_way = self.most_at_once = 0
        self.is_open = asyncio.Event()
        self.is_open.set()

    def has_taken(self, count: int) -> bool:
        """Tell whether it has taken so many events."""
        return len(self.events) >= count

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        self.connections.add(request.transport)
        body = await request.read()
        if self.cuts:
            self.cuts -= 1
            assert request.transport is not None
            request.transport.abort()
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.is_open.wait()  # as under an alarm: it waits for its own confirm without a limit
        finally:
            self.under_way -= 1
        return web.Response(status=self._judge(request, body), headers=self.headers)

    def _judge(self, request: web.Request, body: bytes) -> int:
        if request.path != "/" or request.query_string:
            return 404
        if request.method != "POST":
            return 405
        try:
            event = json.loads(body, object_pairs_hook=_without_doubles)
        except ValueError:
            return 400
        if request.content_type != CONTENT_TYPE or not all(event.get(name) for name in ("id", "source", "type")):
            return 400
        if 200 <= self.status < 300:
            self.events.append(event)
            self.bodies.append(body)
        return self.status


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("an attribute stands there twice")
    return dict(pairs)


@asynccontextmanager
async def running_ingress() -> AsyncIterator[Ingress]:
    """Run one on a free port."""
    ingress = Ingress()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", ingress.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0][:2]
    ingress.url = f"http://127.0.0.1:{port}"
    try:
        yield ingress
    finally:
        ingress.is_open.set()
        await runner.cleanup()
