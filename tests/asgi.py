"""Call a function as a server does, without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

from starlette.types import ASGIApp

from shared.broker import Broker
from shared.runtime import Resources
from shared.serve import App
from shared.settings import Settings
from shared.store import Store
from tests.fakes import HoldingBroker


@dataclass(frozen=True, slots=True)
class Answer:
    """What an app answered."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def document(self) -> Any:
        """Read the body."""
        return json.loads(self.body)


async def call(
    app: App | ASGIApp, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> Answer:
    """Call an app as a server does; the path is percent-encoded, and may have a query."""
    started: dict[str, Any] = {}
    chunks: list[bytes] = []
    requests = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return requests.pop() if requests else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            chunks.append(message.get("body", b""))

    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    raw_path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": unquote(raw_path),
        "raw_path": raw_path.encode(), "root_path": "", "scheme": "http", "query_string": query.encode(),
        "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    await app(scope, receive, send)
    kept = {name.decode(): value.decode() for name, value in started["headers"]}
    return Answer(started["status"], kept, b"".join(chunks))


def resources(store: Store, **settings: Any) -> Resources:
    """Hold what an app stands on."""
    options = {"api_keys": None, "host": "127.0.0.1", **settings}
    return Resources(settings=Settings(**options), store=store, broker=cast(Broker, HoldingBroker()))


class Socket:
    """A WebSocket's client, without a server. It takes what is sent unless it is told to hold."""

    def __init__(self, app: App, path: str, headers: dict[str, str] | None = None) -> None:
        self.messages: list[Any] = []
        """What the app sent, oldest first."""
        self.changed = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "ws",
            "path": unquote(raw_path), "raw_path": raw_path.encode(), "root_path": "", "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "subprotocols": [], "state": {},
            "extensions": {"websocket.http.response": {}},
        }  # fmt: skip
        self.serving = asyncio.create_task(app(scope, self._incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await self.takes.wait()
        self.messages.append(message)
        self.changed.set()

    def say(self, frame: Any) -> None:
        """Send a text frame, a document as one, or a binary frame."""
        if isinstance(frame, bytes):
            self._incoming.put_nowait({"type": "websocket.receive", "bytes": frame})
        else:
            text = frame if isinstance(frame, str) else json.dumps(frame)
            self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        """Go away."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    @property
    def told(self) -> list[Any]:
        """Read the frames so far."""
        return [json.loads(message["text"]) for message in self.messages if message["type"] == "websocket.send"]

    @property
    def frames(self) -> list[Any]:
        """Read the frames so far, but for the counts of what is unread."""
        return [frame for frame in self.told if frame["type"] != "unread_count"]

    @property
    def counts(self) -> list[int]:
        """Read the counts of what is unread so far."""
        return [frame["count"] for frame in self.told if frame["type"] == "unread_count"]

    @property
    def close_code(self) -> int | None:
        """Tell with which code it was closed."""
        return next((m["code"] for m in self.messages if m["type"] == "websocket.close"), None)

    @property
    def denial(self) -> tuple[int, Any] | None:
        """Tell how it was refused: the status and the problem."""
        start = next((m for m in self.messages if m["type"] == "websocket.http.response.start"), None)
        bodies = [m["body"] for m in self.messages if m["type"] == "websocket.http.response.body"]
        return (start["status"], json.loads(b"".join(bodies))) if start else None

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something has come of what was said."""
        async with asyncio.timeout(10):
            while not is_so():
                self.changed.clear()
                await self.changed.wait()

    async def is_open(self) -> None:
        """Wait until it was accepted."""
        await self.until(lambda: any(message["type"] == "websocket.accept" for message in self.messages))

    async def ends(self) -> None:
        """Wait until the app has done with it."""
        async with asyncio.timeout(10):
            await self.serving
