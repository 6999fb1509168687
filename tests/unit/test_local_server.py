"""The HTTP server of the local runtime."""

from __future__ import annotations

from typing import Any

import aiohttp

from infrastructure.local.server import HttpServer, listen

LOAD_BALANCERS_KEEP_SECONDS = 60


async def test_a_connection_is_never_closed_before_the_side_that_sends_requests_gives_it_up() -> None:
    async def app(*_: Any) -> None:
        """Never called."""

    async with aiohttp.TCPConnector() as connector:
        clients_keep_seconds = float(connector._keepalive_timeout or 0)

    with listen("127.0.0.1", 0) as listener:
        kept_seconds = HttpServer(app, listener)._server.config.timeout_keep_alive

    assert kept_seconds > max(clients_keep_seconds, LOAD_BALANCERS_KEEP_SECONDS)
