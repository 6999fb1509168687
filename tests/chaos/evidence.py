"""Know that there is work in flight before a strike counts: the victim is held still and looked at.

What a stopped process was in the middle of stays as it is, so what is seen is true until the strike has fallen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random

import psycopg

from tests.chaos.signals import children, freeze, local_ports, resume, title, unread_bytes
from tests.chaos.world import World, now

WORK_SECONDS = 180.0
"""Longer than a breaker stays open: until its probe is back, nothing is retried, and the short delays stay empty."""
LOOK_SECONDS = 0.003
LET_RUN_SECONDS = (0.002, 0.025)
RESTING = (" idle", " startup", " authentication")
"""What a connection of Postgres calls itself while nothing is lost with it."""


class NoWorkCame(Exception):
    """A strike found nothing in flight at its victim in time: the run has shown less than it says."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A process that is held in the middle of its work, and how that is known."""

    replica: str
    pid: int
    evidence: str


Look = Callable[[World, str, int], Awaitable[str | None]]
"""Says what a held process was in the middle of, given the world, the replica and the process id."""


async def catch(world: World, function: str, random: Random, look: Look) -> Caught:
    """Hold a replica of a function in the middle of its work. Whoever calls this decides what becomes of it.

    Raises:
        NoWorkCame: none of them did anything for so long.
    """
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        replica = random.choice(world.free(function))
        pid = world.pid(replica)
        if pid is not None:
            with suppress(ProcessLookupError):
                async with held(pid) as hold:
                    if found := await look(world, replica, pid):
                        hold.keep = True
                        return Caught(replica, pid, found)
        await asyncio.sleep(random.uniform(*LET_RUN_SECONDS))
    raise NoWorkCame(f"{function} did nothing for {WORK_SECONDS:.0f} s")


@dataclass(slots=True)
class Hold:
    """Whether a process stays held."""

    keep: bool = False


@asynccontextmanager
async def held(*pids: int) -> AsyncIterator[Hold]:
    """Stop processes for a moment, or for good if the hold says so."""
    hold = Hold()
    try:
        for pid in pids:
            freeze(pid)
        yield hold
    finally:
        if not hold.keep:
            for pid in reversed(pids):
                resume(pid)


async def at_work(world: World, replica: str, pid: int) -> str | None:
    """Look for what was asked of it and is not answered, or a transaction."""
    since = now()
    await asyncio.sleep(LOOK_SECONDS)
    if size := unread_bytes(pid):
        return f"{size} bytes sent to it and not read"
    with suppress(psycopg.OperationalError, TimeoutError):
        if await world.database.transactions(replica, since):
            return "in the middle of a transaction"
    return None


async def owed_an_answer(world: World, replica: str, pid: int) -> str | None:
    """Look for mails of its own that the mail server keeps and has not answered: the ambiguous moment itself."""
    ports = local_ports(pid)
    owing = [one for one in world.smtp.sessions if one.is_waiting]
    count = sum(one.transport.get_extra_info("peername")[1] in ports for one in owing)
    return f"{count} mails kept and not answered" if count else None


async def broker_at_work(pid: int) -> str | None:
    """Look at a RabbitMQ that is held: what was published or acknowledged and not read is in flight."""
    await asyncio.sleep(LOOK_SECONDS)
    size = unread_bytes(pid)
    return f"{size} bytes sent to it and not read" if size else None


def database_processes(postmaster: int) -> list[int]:
    """List the processes of a Postgres, the one that would start new ones first."""
    return [postmaster, *children(postmaster)]


def busy_backends(pids: list[int]) -> str | None:
    """Look at the processes of a Postgres that is held, by what they say they do."""
    titles = [title(pid) for pid in pids]
    busy = [said for said in titles if " [local] " in said and not said.endswith(RESTING)]
    return f"{len(busy)} connections in the middle of something" if busy else None


async def until_seen(look: Callable[[], Awaitable[str | None]], what: str) -> str:
    """Look again and again until there is work.

    Raises:
        NoWorkCame: there was none for so long.
    """
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        if seen := await look():
            return seen
        await asyncio.sleep(LOOK_SECONDS)
    raise NoWorkCame(f"{what}: nothing for {WORK_SECONDS:.0f} s")
