"""A user of a running Carillon: nothing but HTTP, WebSocket and the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp

from infrastructure.local.private_instance import Instance

PATIENCE_SECONDS = 90.0


class Client:
    """What somebody with curl can do."""

    def __init__(self, instance: Instance, http: aiohttp.ClientSession) -> None:
        self.instance = instance
        self.http = http
        self.user = f"user-{uuid4()}"

    async def settle_in(self) -> Client:
        """Make a person known whom nobody else writes to."""
        await self.put(f"/users/{self.user}", {"name": "Somebody", "email": f"{self.user}@example.test"})
        return self

    async def get(self, path: str) -> Any:
        """GET a document."""
        async with self.http.get(self.instance.url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def put(self, path: str, document: Any) -> None:
        """PUT a document."""
        async with self.http.put(self.instance.url + path, json=document) as answer:
            assert answer.status == 200, await answer.text()

    async def post(
        self, message: str, *, channel: str = "email", user: str | None = None, event_type: str = "order_created"
    ) -> str:
        """POST a plain event; return the id of its notification."""
        event = {
            "event_type": event_type,
            "user_id": user or self.user,
            "timestamp": "2024-06-01T12:00:00Z",
            "data": {"message": message, "preferred_channel": channel},
        }
        async with self.http.post(self.instance.url + "/events", json=event) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["id"])

    async def post_raw(self, headers: dict[str, str], body: bytes | str) -> tuple[int, Any]:
        """POST bytes to /events; return the status and the document."""
        async with self.http.post(self.instance.url + "/events", headers=headers, data=body) as answer:
            return answer.status, await answer.json(content_type=None)

    async def until(self, key: str, *statuses: str) -> dict[str, Any]:
        """Wait until a notification has one of these statuses."""
        document: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while document.get("status") not in statuses:
                document = await self.get(f"/api/v1/notifications/{key}")
                await asyncio.sleep(0.05)
        return document

    async def until_attempted(self, key: str, times: int, status: str) -> dict[str, Any]:
        """Wait until a notification has a status after so many attempts."""
        document: dict[str, Any] = {"attempts": []}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(document["attempts"]) < times or document["status"] != status:
                document = await self.get(f"/api/v1/notifications/{key}")
                await asyncio.sleep(0.05)
        return document

    async def mails(self) -> list[str]:
        """Read the texts of the mails that this person got, newest first."""
        found = await self.get(f"/sandbox/messages?channel=email&to={self.user}@example.test")
        return [mail["text"] for mail in found]

    @asynccontextmanager
    async def socket(self, since: int | None = None) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket."""
        query = "" if since is None else f"?since={since}"
        url = self.instance.url.replace("http", "ws", 1)
        async with self.http.ws_connect(f"{url}/ws/{self.user}{query}") as socket:
            yield socket
