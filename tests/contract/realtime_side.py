"""The realtime side over an inbox with moods, and clients of it: no server, no database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from functions.realtime.api import RealtimeApi
from functions.realtime.operations import OPERATIONS
from shared.broker.protocol import OnHint
from shared.runtime import Resources
from shared.serve import ApiApp
from shared.step import Api
from shared.store.inbox import Mark, NewItem
from tests.asgi import Socket, resources
from tests.contract.inbox_moods import Mood, MoodyInbox, moody_store
from tests.contract.stage import TENANT, USER, WEBSOCKET
from tests.contract.stage import Stage as Moves
from tests.fakes import HoldingBroker

SELDOM_SECONDS, OFTEN_SECONDS = 60.0, 0.02


class HintingBroker(HoldingBroker):
    """A broker whose hints are heard."""

    on_hint: OnHint | None = None

    async def listen(self, on_hint: OnHint) -> HintingBroker:
        """Hear the hints."""
        self.on_hint = on_hint
        return self

    async def cancel(self) -> None:
        """Hear no more."""
        self.on_hint = None


class Stage:
    """The realtime side over an inbox with moods."""

    def __init__(
        self, *moods: Mood, look_seconds: float, send_seconds: float, heartbeat_seconds: float, **settings: Any
    ) -> None:
        self.store, self.inbox = moody_store(*moods)
        self.moves = Moves(self.store, lambda _: asyncio.sleep(0))
        self.broker = HintingBroker()
        held: Resources = resources(self.store, **settings)
        held.broker = self.broker  # type: ignore[assignment]
        self.resources = held
        self.app = ApiApp(
            Api(
                name="realtime",
                open=lambda resources: RealtimeApi(
                    resources,
                    look_anyway_seconds=look_seconds,
                    send_seconds=send_seconds,
                    heartbeat_seconds=heartbeat_seconds,
                ),
                operations=OPERATIONS,
            ),
            held,
        )

    async def keep(self, count: int = 1, *, user: str = USER, message: str = "hello") -> list[UUID]:
        """Keep messages, whatever mood the inbox is in."""
        keys = [uuid4() for _ in range(count)]
        well = MoodyInbox(self.store.memory)
        content = {"event_type": "order_shipped", "subject": "", "message": message}
        await well.put(
            [NewItem(tenant=TENANT, user_id=user, notification_id=k, epoch=0, content=content) for k in keys]
        )
        return keys

    async def elsewhere(self, mark: str, *keys: UUID, user: str = USER) -> None:
        """Let another process mark messages, and nobody hear of it."""
        await MoodyInbox(self.store.memory).mark(TENANT, user, Mark(mark), keys)

    async def send(self) -> UUID:
        """Keep a message of a notification that is under way."""
        key = (await self.moves.route(1, WEBSOCKET)).notification_id
        item = NewItem(tenant=TENANT, user_id=USER, notification_id=key, epoch=0, content={"message": "hello"})
        await MoodyInbox(self.store.memory).put([item])
        return key

    def hint(self, body: bytes = json.dumps({"tenant": TENANT, "user_id": USER}).encode()) -> None:
        """Let a hint come."""
        assert self.broker.on_hint is not None
        self.broker.on_hint(body)

    @property
    def listening(self) -> int:
        """Count the sockets that are open."""
        return int(self.resources.metrics.websockets._value.get())


@asynccontextmanager
async def realtime(
    *moods: Mood,
    look_seconds: float = SELDOM_SECONDS,
    send_seconds: float = SELDOM_SECONDS,
    heartbeat_seconds: float = SELDOM_SECONDS,
    **settings: Any,
) -> AsyncIterator[Stage]:
    stage = Stage(
        *moods,
        look_seconds=look_seconds,
        send_seconds=send_seconds,
        heartbeat_seconds=heartbeat_seconds,
        **settings,
    )
    await stage.app.start()
    try:
        yield stage
    finally:
        await stage.app.drain()


@asynccontextmanager
async def client(stage: Stage, path: str = "/ws/1?since=0") -> AsyncIterator[Socket]:
    socket = Socket(stage.app, path)
    try:
        await socket.is_open()
        yield socket
    finally:
        socket.takes.set()
        socket.leave()
        await socket.ends()
