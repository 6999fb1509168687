"""Wait until every notification has ended, and read what the API says of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

from tests.chaos.audit import Document, has_ended
from tests.chaos.client import Client, NoAnswer
from tests.chaos.load import Posted

READERS = 8
LOOK_AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""For so long one answer of the API is waited for, again and again: the functions may just be starting."""


class Reader:
    """Reads documents, and keeps the newest of each."""

    def __init__(self, client: Client) -> None:
        self.documents: dict[str, Document] = {}
        self._client = client

    async def until_ended(self, posted: Sequence[Posted], deadline: float) -> None:
        """Read each until it has ended, or the deadline of the monotonic clock has passed."""
        left = [one.id for one in posted if one.id]
        while True:
            await self.read(left)
            left = [key for key in left if key not in self.documents or not has_ended(self.documents[key])]
            if not left or time.monotonic() > deadline:
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def read(self, keys: Sequence[str]) -> None:
        """Read some anew. What the API does not know is not among the documents."""
        waiting = iter(keys)
        await asyncio.gather(*[self._work_off(waiting) for _ in range(READERS)])

    async def _work_off(self, waiting: Iterator[str]) -> None:
        for key in waiting:
            self.documents.pop(key, None)
            document = await self._one(key)
            if document is not None:
                self.documents[key] = document

    async def _one(self, key: str) -> Document | None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                status, document = await self._client.ask("ingest", "GET", f"/api/v1/notifications/{key}")
            except NoAnswer:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
                continue
            return document if status == 200 else None
