"""The one address of a function that has two replicas, as a cluster gives it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from infrastructure.local.functions import started
from infrastructure.local.processes import LOOPBACK
from infrastructure.local.proxy import Backend
from infrastructure.local.server import HttpServer, listen

AVOIDED_SECONDS = 0.5


class Balancer:
    """Passes each request to the replica that owes the fewest answers; one that refused is left alone for a moment.

    So a replica that stands still keeps the few requests that it has, and gets no more.
    """

    def __init__(self, backends: Sequence[Backend]) -> None:
        self._backends = backends
        self._owed = [0] * len(backends)
        self._turn = 0  # of those that owe the same, each in turn
        self._avoided_until = [0.0] * len(backends)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on."""
        place = self._choose()

        async def watch(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 503:
                self._avoided_until[place] = time.monotonic() + AVOIDED_SECONDS
            await send(message)

        self._owed[place] += 1
        try:
            await self._backends[place](scope, receive, watch)
        finally:
            self._owed[place] -= 1

    def _choose(self) -> int:
        now = time.monotonic()
        self._turn += 1
        places = [(self._turn + step) % len(self._backends) for step in range(len(self._backends))]
        return min(places, key=lambda place: (self._avoided_until[place] > now, self._owed[place]))


async def balanced(urls: Sequence[str], http: aiohttp.ClientSession, stack: AsyncExitStack) -> str:
    """Serve one address for several; return it."""
    server = HttpServer(Balancer([Backend(url, http) for url in urls]), listen(LOOPBACK, 0))
    await started(stack, server.start, server.stop)
    return f"http://{LOOPBACK}:{server.port}"
