"""Notice that the broker lost what it held, have the topology declared again, and say so once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from shared.broker.protocol import OnLoss
from shared.broker.rabbit_connection import end, kind
from shared.errors import BrokerUnavailable

log = logging.getLogger(__name__)

CALM_SECONDS = 0.5
PATIENCE_SECONDS = 5.0


class LossWatch:
    """Gather the signs of one loss: who deletes twenty queues causes hundreds of returns and cancellations."""

    def __init__(self, repair: Callable[[], Awaitable[None]], on_loss: OnLoss | None) -> None:
        self._repair = repair
        self.on_loss = on_loss
        self._signs = 0
        self._task: asyncio.Task[None] | None = None

    def suspect(self, sign: str) -> None:
        """Note a sign of a loss. The topology is declared at once; `on_loss` is called when there is calm."""
        self._signs += 1
        if self._task is None or self._task.done():
            log.warning("the broker may have lost what it held", extra={"sign": sign})
            self._task = asyncio.create_task(self._look_after())

    async def close(self) -> None:
        """Look after nothing more."""
        await end(self._task)

    async def _look_after(self) -> None:
        seen = 0
        while seen != self._signs:  # a sign that comes while somebody is told is the next loss
            seen = await self._repair_until_calm()
            await self._tell()

    async def _repair_until_calm(self) -> int:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        seen, is_whole = -1, False
        while not is_whole or (seen != self._signs and loop.time() < deadline):
            seen = self._signs
            try:
                await self._repair()
                is_whole = True
            except BrokerUnavailable as unavailable:  # somebody still deletes, or the line is down too
                is_whole = False
                log.warning("the topology could not be declared now", extra={"reason": kind(unavailable)})
            await asyncio.sleep(CALM_SECONDS)
        return self._signs

    async def _tell(self) -> None:
        if self.on_loss is None:
            return
        try:
            await self.on_loss()
        except Exception:  # what is owed stays owed: the sweep comes to it in its own time
            log.exception("what the broker lost could not be marked for publishing")
