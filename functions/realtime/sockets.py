"""WebSockets over the inbox. The inbox is the truth; a hint only says when to look."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Iterable
from typing import Any, Final, Literal
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from functions.realtime.audience import Audience, Listener
from functions.realtime.operations import SERVE_SOCKET
from shared import outbox, problems, strict_json
from shared.auth.credentials import SUBPROTOCOL
from shared.broker import Subscription
from shared.errors import CarillonError, DatabaseUnavailable, Refused
from shared.runtime import Resources
from shared.step import ApiWork
from shared.store.inbox import Item

SOURCE = "realtime"
PAGE = 100
LOOK_ANYWAY_SECONDS = 5.0
"""A hint may be lost: so often every socket looks without one."""
MAX_FRAME_BYTES = 16_384
SLOW_READER = 1013
BAD_FRAME = 1007
BINARY_FRAME = 1003
TOKEN_ENDED = 4401
"""A number of our own: the client comes back with a new token."""
SEND_SECONDS = 10.0
PING: Final = "ping"
PONG = json.dumps({"type": "pong"})
"""A client that cannot send the protocol's own ping (no browser can) learns so that somebody is still there."""

USER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,128}")

log = logging.getLogger(__name__)


class RealtimeApi(ApiWork):
    """The sockets of one process."""

    def __init__(
        self,
        resources: Resources,
        *,
        look_anyway_seconds: float = LOOK_ANYWAY_SECONDS,
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        self._resources = resources
        self._look_anyway_seconds = look_anyway_seconds
        self._send_seconds = send_seconds
        self._audience = Audience()
        self._hints: Subscription | None = None
        super().__init__([WebSocketRoute(SERVE_SOCKET.path, self.serve)])

    async def start(self) -> None:
        """Hear the hints."""
        self._hints = await self._resources.broker.listen(self._on_hint)

    async def close(self) -> None:
        """Say good-bye to every socket; a client resumes elsewhere."""
        if self._hints:
            await self._hints.cancel()
        await self._audience.dismiss()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it leaves, is too slow, or this process ends."""
        try:
            caller = await self._resources.gate.admit(socket, SERVE_SOCKET)
            tenant, user_id, cursor = caller.tenant, _user_id(socket), _cursor(socket)
            if cursor is None:
                cursor = await self._resources.store.inbox.last(tenant, user_id)
        except CarillonError as refused:
            await socket.send_denial_response(problems.answer(refused))
            return
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
        listener = Listener(tenant=tenant, user_id=user_id)
        self._audience.add(listener)
        self._resources.metrics.websockets.inc()
        try:
            await self._talk(socket, listener, cursor, caller.valid_seconds)
        finally:
            self._resources.metrics.websockets.dec()
            self._audience.remove(listener)

    async def _talk(self, socket: WebSocket, listener: Listener, cursor: int, valid_seconds: float | None) -> None:
        """Read and write side by side; the first that ends, ends both: a token's end, too."""
        tasks = {
            asyncio.create_task(self._write(socket, listener, cursor)),
            asyncio.create_task(self._read(socket, listener)),
            asyncio.create_task(listener.dismissed.wait()),
            asyncio.create_task(_outlive(valid_seconds)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        code = next((end for end in ended if isinstance(end, int) and not isinstance(end, bool)), 1001)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(code)

    async def _write(self, socket: WebSocket, listener: Listener, cursor: int) -> int:
        """Send what the inbox holds after the cursor, then wait for a hint; return the close code."""
        while True:
            listener.hinted.clear()
            cursor, is_caught_up = await self._send_page(socket, listener, cursor)
            if is_caught_up is None:
                return SLOW_READER
            if is_caught_up:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._look_anyway_seconds):
                        await listener.hinted.wait()

    async def _send_page(self, socket: WebSocket, listener: Listener, cursor: int) -> tuple[int, bool | None]:
        """Send a page; return the new cursor, and whether there is no more (None: the reader is too slow)."""
        try:
            items = await self._resources.store.inbox.since(listener.tenant, listener.user_id, cursor, PAGE)
        except DatabaseUnavailable:
            return cursor, True
        for item in items:
            try:
                await self._send(socket, frame(item))
            except TimeoutError:
                return cursor, None
            cursor = item.cursor
        return cursor, len(items) < PAGE

    async def _send(self, socket: WebSocket, text: str) -> None:
        # Not by wait_for: on Python 3.11 it forgets a cancellation that comes when the frame has just left.
        async with asyncio.timeout(self._send_seconds):
            await socket.send_text(text)

    async def _read(self, socket: WebSocket, listener: Listener) -> int:
        """Take acknowledgements; return the close code when the client leaves or talks nonsense."""
        while True:
            try:
                text = await socket.receive_text()
            except WebSocketDisconnect:
                return 1000
            except KeyError:
                return BINARY_FRAME
            said = read_frame(text)
            if said is None:
                return BAD_FRAME
            try:
                if said != PING:
                    await self._acknowledge(listener, said)
                else:
                    await self._send(socket, PONG)
            except (DatabaseUnavailable, TimeoutError):
                return SLOW_READER  # it is not noted: the client acknowledges again after it has resumed

    async def _acknowledge(self, listener: Listener, ids: Iterable[UUID]) -> None:
        noted = await self._resources.store.inbox.acknowledge(listener.tenant, listener.user_id, list(ids))
        messages = [outbox.receipt(SOURCE, outbox.About(key, listener.tenant, epoch)) for key, epoch in noted]
        if messages:
            await self._resources.broker.publish(messages)  # what is refused, the sweep folds

    def _on_hint(self, body: bytes) -> None:
        try:
            hint = json.loads(body)
            self._audience.hint(str(hint["tenant"]), str(hint["user_id"]))
        except (ValueError, KeyError, TypeError):
            log.warning("a hint that is none")


def frame(item: Item) -> str:
    """Write an inbox item as a client gets it."""
    document = {
        "type": "notification",
        "id": str(item.notification_id),
        "cursor": item.cursor,
        "created_at": item.created_at.isoformat(timespec="milliseconds"),
        **item.content,
    }
    return json.dumps(document)


def read_frame(text: str) -> list[UUID] | Literal["ping"] | None:
    """Read what a client says: {"type": "ack", "id": …} or {"type": "ack", "ids": […]}, or {"type": "ping"}.

    Return the ids that it acknowledges; None when it says nothing that a client may.
    """
    try:
        document: Any = strict_json.parse(text.encode(), MAX_FRAME_BYTES)
        if document["type"] == PING:
            return PING
        ids = document["ids"] if "ids" in document else [document["id"]]
        return [UUID(key) for key in ids] if document["type"] == "ack" else None
    except (Refused, ValueError, LookupError, AttributeError, TypeError):
        return None


def _user_id(socket: HTTPConnection) -> str:
    value = str(socket.path_params["user_id"])
    if not USER_ID.fullmatch(value):
        raise Refused(422, "Invalid address", "It holds characters that it must not.", field="user_id")
    return value


def _cursor(socket: HTTPConnection) -> int | None:
    text = socket.query_params.get("since")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(422, "Invalid cursor", "It must be a whole number, 0 for everything kept.", field="since")
    return int(text)


async def _outlive(seconds: float | None) -> int:
    """Return the close code when a token has ended; without an end, wait for the others."""
    if seconds is None:
        await asyncio.Event().wait()
    await asyncio.sleep(seconds or 0)
    return TOKEN_ENDED
