"""Call a function as a server does, without one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

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


async def call(app: App, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
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
