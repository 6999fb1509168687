"""Strike after strike while the load goes on, each at its share of the load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random

from tests.chaos.load import Load
from tests.chaos.plan import Size
from tests.chaos.strikes import Strike
from tests.chaos.world import World

Say = Callable[[str], None]

LOOK_AGAIN_SECONDS = 0.5


class Conductor:
    """Carries out a plan. When a victim is not free the next strike of the plan goes first."""

    def __init__(self, world: World, load: Load, size: Size, seed: int, say: Say) -> None:
        self._world = world
        self._load = load
        self._size = size
        self._seed = seed
        self._say = say
        self._started = time.monotonic()
        self.last_let_go_at = self._started
        self._stops: set[asyncio.Task[None]] = set()

    async def conduct(self, plan: list[Strike]) -> int:
        """Strike them all, and return how many fell.

        Raises:
            NoWorkCame: a victim had nothing to do.
        """
        pending, struck = list(plan), 0
        random = Random(self._seed)
        while pending:
            share = self._size.notifications * (struck + random.random()) / self._size.strikes
            await self._load.until_begun(int(share))
            strike = await self._next(pending)
            pending.remove(strike)
            struck += 1
            await self._strike(struck, strike, random)
        if self._stops:
            await asyncio.wait(self._stops)
        return struck

    def close(self) -> None:
        """Wait for nothing more."""
        for task in self._stops:
            task.cancel()

    async def _next(self, pending: list[Strike]) -> Strike:
        while True:
            for strike in pending:
                if strike.is_possible(self._world):
                    return strike
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _strike(self, number: int, strike: Strike, random: Random) -> None:
        before, under_way = set(self._world.frozen), await self._world.database.under_way()
        began = time.monotonic()
        evidence = await strike.act(self._world, random)
        for replica in set(self._world.frozen) - before:
            task = asyncio.create_task(self._let_go_later(replica, strike.lasts_seconds))
            self._stops.add(task)
            task.add_done_callback(self._stops.discard)
        at, took = began - self._started, time.monotonic() - began
        self._say(
            f"{number:4}  {at:6.1f} s  {strike.name:38} {evidence};"
            f" {under_way} under way, {len(self._load.posted)} posted, {took:.1f} s"
        )

    async def _let_go_later(self, replica: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._world.let_go(replica)
        self.last_let_go_at = time.monotonic()
        self._say(f"      {time.monotonic() - self._started:6.1f} s  {replica} goes on after {seconds:.0f} s")
