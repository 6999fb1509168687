"""Strikes on a function's process."""

from __future__ import annotations

from random import Random

from tests.chaos.evidence import Caught, at_work, catch, owed_an_answer
from tests.chaos.signals import kill
from tests.chaos.world import World

LOOKS = {"deliver-email": (owed_an_answer, owed_an_answer, at_work)}
"""Where there is more than one sort of work, the seed chooses which one is waited for."""


async def kill_one(function: str, world: World, random: Random) -> str:
    """Kill a replica in the middle of its work. The supervisor starts it again."""
    caught = await _catch(function, world, random)
    kill(caught.pid)
    return f"{caught.replica}: {caught.evidence}"


async def stop_one(function: str, world: World, random: Random) -> str:
    """Stop a replica in the middle of its work, until somebody lets it go."""
    caught = await _catch(function, world, random)
    world.frozen[caught.replica] = caught.pid
    return f"{caught.replica}: {caught.evidence}"


async def _catch(function: str, world: World, random: Random) -> Caught:
    return await catch(world, function, random, random.choice(LOOKS.get(function, (at_work,))))
