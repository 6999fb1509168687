"""Server-Sent Events over the inbox: the same frames, for whoever can hold a request open and no socket."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from functions.realtime.audience import Audience, Listener
from functions.realtime.ending import LEFT, SLOW_READER, until_ended
from functions.realtime.following import Following, Told
from functions.realtime.frames import read_listener, resume
from shared.access import Caller
from shared.inbox import frame
from shared.metrics import Metrics

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 2_000
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": "text/event-stream; charset=utf-8"}
"""The second one is for nginx, which otherwise waits until it has a page full."""


class Streams:
    """The open streams of one process."""

    def __init__(
        self,
        metrics: Metrics,
        audience: Audience,
        following: Following,
        *,
        send_seconds: float,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self.metrics, self.audience, self.following = metrics, audience, following
        self.send_seconds, self.heartbeat_seconds = send_seconds, heartbeat_seconds

    async def open(self, request: Request, caller: Caller) -> Response:
        """Begin a stream."""
        listener = read_listener(request, caller)
        resume(listener, request.headers.get("last-event-id"))
        await self.following.begin(listener)
        return Stream(self, listener, caller.valid_seconds)


class Stream(Response):
    """One stream: it ends with its client, with its token, with this process, or when nobody takes it."""

    def __init__(self, streams: Streams, listener: Listener, valid_seconds: float | None) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._streams, self._listener, self._valid_seconds = streams, listener, valid_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it ends."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._streams.audience.add(self._listener)
        self._streams.metrics.event_streams.inc()
        try:
            sides = self._write(send), self._beat(send), _gone(receive)
            code = await until_ended(self._listener, self._valid_seconds, *sides)
        finally:
            self._streams.metrics.event_streams.dec()
            self._streams.audience.remove(self._listener)
        last = b"" if code == LEFT else _event("end", frame("end", code=code))
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(self._streams.send_seconds):
                await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _write(self, send: Send) -> int:
        """Send what is told; return the code when nobody takes it."""
        try:
            await self._send(send, b"retry: %d\n\n" % RETRY_MILLISECONDS)
            async with aclosing(self._streams.following.follow(self._listener)) as frames:
                async for told in frames:
                    await self._send(send, write_event(told))
        except TimeoutError:
            return SLOW_READER
        return LEFT

    async def _beat(self, send: Send) -> int:
        """Send a comment now and then: who hears none knows that nobody is there, and who is dead is noticed."""
        try:
            while True:
                await asyncio.sleep(self._streams.heartbeat_seconds)
                await self._send(send, b": still here\n\n")
        except TimeoutError:
            return SLOW_READER

    async def _send(self, send: Send, body: bytes) -> None:
        async with asyncio.timeout(self._streams.send_seconds):
            await send({"type": "http.response.body", "body": body, "more_body": True})


def write_event(told: Told) -> bytes:
    """Write a frame as an event. Its id says how far the client has been told: the cursor, a dot, the change."""
    return b"id: %d.%d\n" % (told.cursor, told.change) + _event(told.kind, told.text)


def _event(kind: str, text: str) -> bytes:
    return f"event: {kind}\ndata: {text}\n\n".encode()


async def _gone(receive: Receive) -> int:
    while (await receive())["type"] != "http.disconnect":
        pass
    return LEFT
