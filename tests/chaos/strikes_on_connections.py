"""Strikes on connections: processes live on, and what was said on the line is lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

import psycopg

from tests.chaos.evidence import at_work, catch, until_seen
from tests.chaos.signals import resume
from tests.chaos.world import SOURCES, World


async def close_rabbitmq(world: World, random: Random) -> str:
    """Have RabbitMQ close every connection while sources hold messages."""
    caught = await catch(world, SOURCES, random, at_work)
    try:
        await asyncio.to_thread(world.node.control, "close_all_connections", "struck")
    finally:
        resume(caught.pid)
    return f"{caught.replica}: {caught.evidence}"


async def close_postgres(world: World, random: Random) -> str:
    """End every connection to Postgres while some are in the middle of something."""

    async def look() -> str | None:
        busy = ended = 0
        with suppress(psycopg.OperationalError, TimeoutError):
            busy, ended = await world.database.cut_the_busy()
        return f"{busy} of {ended} in the middle of something" if busy else None

    return await until_seen(look, "connections to Postgres")


async def cut_smtp(world: World, random: Random) -> str:
    """Cut every connection to the mail server while it still owes answers: those mails are kept, nobody knows."""

    async def look() -> str | None:
        owing = sum(session.is_waiting for session in world.smtp.sessions)
        if not owing:
            return None
        for session in list(world.smtp.sessions):
            session.transport.abort()
        return f"{owing} mails kept and not answered"

    return await until_seen(look, "connections to the mail server")
