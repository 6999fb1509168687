"""Those who use Carillon beside the load: listeners of inboxes, and clients of the directory and the console."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import suppress

import aiohttp

from tests.chaos.client import Client, NoAnswer
from tests.chaos.people import EACH, Kind

PAUSE_SECONDS = 0.1
AGAIN_SECONDS = 0.3


class Ear:
    """One person's WebSocket, opened again after the last message heard whenever it breaks."""

    def __init__(self, client: Client, user: str) -> None:
        self.cursors: dict[str, set[int]] = defaultdict(set)
        self._client = client
        self._user = user
        self._last = 0

    async def listen(self) -> None:
        """Listen for ever."""
        while True:
            with suppress(aiohttp.ClientError, OSError, ValueError):
                await self._hear()
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hear(self) -> None:
        url = f"{self._client.address('realtime')}/ws/{self._user}?since={self._last}"
        async with self._client.http.ws_connect(url) as socket:
            async for frame in socket:
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    return
                said = frame.json()
                if said["type"] != "notification":
                    continue
                self.cursors[said["id"]].add(said["cursor"])
                self._last = max(self._last, said["cursor"])


class Bystanders:
    """All of them, for the whole run."""

    def __init__(self, client: Client, kinds: tuple[Kind, ...]) -> None:
        self._client = client
        self._kinds = kinds
        self._ears = [Ear(client, kind.user(number)) for kind in kinds if kind.has_inbox for number in range(EACH)]
        self._tasks: list[asyncio.Task[None]] = []

    async def settle_in(self) -> None:
        """Make people and workflows known, then begin."""
        await asyncio.gather(*[self._introduce(kind) for kind in self._kinds])
        for work in (self._edit(), self._watch(), *(ear.listen() for ear in self._ears)):
            self._tasks.append(asyncio.create_task(work))

    async def leave(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def heard(self) -> Counter[str]:
        """Count, by notification, in how many places of an inbox it was heard."""
        return Counter({key: len(places) for ear in self._ears for key, places in ear.cursors.items()})

    async def _introduce(self, kind: Kind) -> None:
        await self._client.insist("directory", "PUT", f"/workflows/{kind.event_type}", kind.workflow)
        for number in range(EACH):
            await self._client.insist(
                "directory", "PUT", f"/users/{kind.user(number)}", {"email": kind.address(number)}
            )

    async def _edit(self) -> None:
        number = 0
        while True:
            kind, number = self._kinds[number % len(self._kinds)], number + 1
            path = f"/users/{kind.user(number)}"
            with suppress(NoAnswer):
                await self._client.ask("directory", "PUT", path, document={"email": kind.address(number)})
            await asyncio.sleep(PAUSE_SECONDS)

    async def _watch(self) -> None:
        while True:
            with suppress(NoAnswer):
                await self._client.ask("console", "GET", "/dead-letters?status=replayed")
            await asyncio.sleep(PAUSE_SECONDS)
