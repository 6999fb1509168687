"""Strikes on the RabbitMQ node."""

from __future__ import annotations

import asyncio
from random import Random

from tests.chaos.evidence import Hold, broker_at_work, held, until_seen
from tests.chaos.world import World


async def kill(world: World, random: Random) -> str:
    """Kill the node and start it again a moment later; what it had on disk stays."""
    seen = await _catch(world)
    await asyncio.to_thread(world.node.kill)
    await asyncio.sleep(random.uniform(0, 2))
    await asyncio.to_thread(world.node.start)
    return seen


async def restart(world: World, random: Random) -> str:
    """Stop the node in order, and start it again a moment later."""
    seen = await _catch(world, keep=False)
    await asyncio.to_thread(world.node.stop)
    await asyncio.sleep(random.uniform(0, 2))
    await asyncio.to_thread(world.node.start)
    return seen


async def stop(seconds: float, world: World, random: Random) -> str:
    """Stop the node for so long: its connections stay open, and nobody answers."""
    pid = _pid(world)
    seen = await _catch(world)
    async with held(pid):
        await asyncio.sleep(seconds)
    return seen


async def _catch(world: World, *, keep: bool = True) -> str:
    """Wait for work in flight; the node stays held then, if asked."""
    pid = _pid(world)

    async def look() -> str | None:
        async with held(pid) as hold:
            seen = await broker_at_work(pid)
            _decide(hold, seen, keep=keep)
        return seen

    return await until_seen(look, "RabbitMQ")


def _decide(hold: Hold, seen: str | None, *, keep: bool) -> None:
    hold.keep = keep and seen is not None


def _pid(world: World) -> int:
    return int((world.node.folder / "log" / "pid").read_text())
