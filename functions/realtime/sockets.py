"""WebSockets over the inbox."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from functions.realtime.audience import Audience, Listener
from functions.realtime.ending import LEFT, SLOW_READER, until_ended
from functions.realtime.following import Following
from functions.realtime.frames import ACKNOWLEDGE, LIST, PING, Said, read_frame, read_listener
from functions.realtime.operations import SERVE_SOCKET
from shared import problems
from shared.auth.credentials import SUBPROTOCOL
from shared.errors import CarillonError, Transient
from shared.inbox import Marking, frame, read_page
from shared.runtime import Resources
from shared.store.inbox import Mark

BAD_FRAME = 1007
BINARY_FRAME = 1003
SEND_SECONDS = 10.0
PONG: Final = frame("pong")
"""A client that cannot send the protocol's own ping (no browser can) learns so that somebody is still there."""


class Sockets:
    """The open WebSockets of one process."""

    def __init__(
        self, resources: Resources, audience: Audience, following: Following, marking: Marking, *, send_seconds: float
    ) -> None:
        self._resources = resources
        self._audience, self._following, self._marking = audience, following, marking
        self._send_seconds = send_seconds

    async def serve(self, socket: WebSocket) -> None:
        """Serve one client until it leaves, is too slow, its token ends, or this process does."""
        try:
            caller = await self._resources.gate.admit(socket, SERVE_SOCKET)
            listener = read_listener(socket, caller)
            await self._following.begin(listener)
        except CarillonError as refused:
            await socket.send_denial_response(problems.answer(refused))
            return
        await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
        self._audience.add(listener)
        self._resources.metrics.websockets.inc()
        try:
            sides = self._write(socket, listener), self._read(socket, listener)
            code = await until_ended(listener, caller.valid_seconds, *sides)
        finally:
            self._resources.metrics.websockets.dec()
            self._audience.remove(listener)
        # Who takes nothing does not take this either: then the connection is dropped, and resumed all the same.
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(self._send_seconds):
                await socket.close(code)

    async def _write(self, socket: WebSocket, listener: Listener) -> int:
        """Send what is told; return the close code when nobody takes it."""
        async with aclosing(self._following.follow(listener)) as frames:
            async for told in frames:
                try:
                    await self._send(socket, told.text)
                except TimeoutError:
                    return SLOW_READER
        return LEFT

    async def _send(self, socket: WebSocket, text: str) -> None:
        # Not by wait_for: on Python 3.11 it forgets a cancellation that comes when the frame has just left.
        async with asyncio.timeout(self._send_seconds):
            await socket.send_text(text)

    async def _read(self, socket: WebSocket, listener: Listener) -> int:
        """Take what the client says; return the close code when it leaves or talks nonsense."""
        while True:
            try:
                text = await socket.receive_text()
            except WebSocketDisconnect:
                return LEFT
            except KeyError:
                return BINARY_FRAME
            said = read_frame(text)
            if said is None:
                return BAD_FRAME
            try:
                await self._do(socket, listener, said)
            except (Transient, TimeoutError):
                return SLOW_READER  # it is not kept: the client says it again after it has resumed

    async def _do(self, socket: WebSocket, listener: Listener, said: Said) -> None:
        tenant, user_id = listener.tenant, listener.user_id
        if said.kind == PING:
            await self._send(socket, PONG)
        elif said.kind == LIST:
            inbox = self._resources.store.inbox
            page = await read_page(inbox, tenant, user_id, shelf=said.shelf, cursor=said.cursor, limit=said.limit)
            await self._send(socket, frame(LIST, status=said.shelf, **page))
        elif said.kind == ACKNOWLEDGE:
            await self._marking.acknowledge(tenant, user_id, said.ids)
        elif await self._mark(tenant, user_id, said):
            self._audience.hint(tenant, user_id)  # the hint by way of the broker may be late, or lost

    async def _mark(self, tenant: str, user_id: str, said: Said) -> int:
        if said.is_about_all:
            return await self._marking.read_all(tenant, user_id, said.until)
        return await self._marking.mark(tenant, user_id, Mark(said.kind), said.ids)
