"""Strikes on Postgres."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from random import Random

from infrastructure.local import postgres_account
from tests.chaos.evidence import busy_backends, database_processes, held, until_seen
from tests.chaos.signals import freeze, resume
from tests.chaos.world import World


async def kill(world: World, random: Random) -> str:
    """Kill the postmaster in the middle of transactions; the others notice, and it is started again."""
    return await _end(world, signal.SIGKILL)


async def shut_down_at_once(world: World, random: Random) -> str:
    """Shut down without a checkpoint, as `pg_ctl stop -m immediate` does, and start again."""
    return await _end(world, signal.SIGQUIT)


async def stop(seconds: float, world: World, random: Random) -> str:
    """Stop every process of it for so long: connections stay open, transactions too, and nobody answers."""
    seen, pids = await _catch(world)
    async with held(*pids):
        await asyncio.sleep(seconds)
    return seen


async def _end(world: World, how: signal.Signals) -> str:
    seen, pids = await _catch(world)
    os.kill(pids[0], how)
    for pid in pids:
        resume(pid)
    await world.restart_postgres()
    return seen


async def _catch(world: World) -> tuple[str, list[int]]:
    """Hold every process of Postgres in the middle of something."""
    found: list[int] = []

    async def look() -> str | None:
        found[:] = _freeze_all(_postmaster(world))
        if seen := busy_backends(found):
            return seen
        for pid in reversed(found):
            resume(pid)
        return None

    return await until_seen(look, "Postgres"), found


def _freeze_all(postmaster: int) -> list[int]:
    freeze(postmaster)  # first: it starts no more
    frozen = database_processes(postmaster)
    for pid in frozen[1:]:
        with suppress(ProcessLookupError):
            freeze(pid)
    return frozen


def _postmaster(world: World) -> int:
    cluster = postgres_account.pointed_at(world.postgres.data_dir) / "postgres"
    return int((cluster / "postmaster.pid").read_text().partition("\n")[0])
