"""The realtime side: sockets and streams over the inbox, and the page component that uses them."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.routing import WebSocketRoute

from functions.realtime.audience import Audience
from functions.realtime.embedding import embedding_handlers
from functions.realtime.following import Following, watch
from functions.realtime.operations import SERVE_SOCKET, SERVE_STREAM
from functions.realtime.sockets import SEND_SECONDS, Sockets
from functions.realtime.streams import HEARTBEAT_SECONDS, Streams
from shared.broker import Subscription
from shared.inbox import Marking
from shared.inbox.hints import read_hint
from shared.runtime import Resources
from shared.step import ApiWork, routes

LOOK_ANYWAY_SECONDS = 5.0
"""A hint may be lost: so often one statement looks for who has missed something."""

log = logging.getLogger(__name__)


class RealtimeApi(ApiWork):
    """The listeners of one process."""

    def __init__(
        self,
        resources: Resources,
        *,
        look_anyway_seconds: float = LOOK_ANYWAY_SECONDS,
        send_seconds: float = SEND_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._resources = resources
        self._look_anyway_seconds = look_anyway_seconds
        self._audience = Audience()
        self._following = Following(resources.store.inbox)
        self._marking = Marking(resources, "realtime")
        self._hints: Subscription | None = None
        self._watch: asyncio.Task[None] | None = None
        sockets = Sockets(resources, self._audience, self._following, self._marking, send_seconds=send_seconds)
        streams = Streams(
            resources.metrics,
            self._audience,
            self._following,
            send_seconds=send_seconds,
            heartbeat_seconds=heartbeat_seconds,
        )
        handlers = {SERVE_STREAM: streams.open, **embedding_handlers()}
        super().__init__([WebSocketRoute(SERVE_SOCKET.path, sockets.serve), *routes(resources.gate, handlers)])

    async def start(self) -> None:
        """Hear the hints, and watch for those that are lost."""
        self._hints = await self._resources.broker.listen(self._on_hint)
        self._watch = asyncio.create_task(watch(self._resources.store.inbox, self._audience, self._look_anyway_seconds))

    async def dismiss(self) -> None:
        """Say good-bye to everybody; a client resumes elsewhere."""
        await self._audience.dismiss()

    async def close(self) -> None:
        """End, and keep what was said last."""
        if self._hints:
            await self._hints.cancel()
        await self._audience.dismiss()
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._following.close()
        await self._marking.close()

    def _on_hint(self, body: bytes) -> None:
        try:
            self._audience.hint(*read_hint(body))
        except ValueError:
            log.warning("a hint that is none")
