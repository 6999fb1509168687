"""Strikes on queues: deleted or emptied while there is something in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from subprocess import CalledProcessError
from typing import TypeVar

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from shared.broker import topology
from tests.chaos.evidence import held, until_seen
from tests.chaos.signals import kill
from tests.chaos.world import World
from tests.contract.clean_slate import delete_all_queues

Found = TypeVar("Found")

BREAKDOWN_SECONDS = 0.5

_HELD = "{{ok, {{_, N}}, _}} = ra:leader_query({{'%2F_{queue}', node()}}, fun rabbit_fifo:query_messages_total/1), N."
"""Every message of a quorum queue, those in consumers' hands included; what `list_queues` says is seconds old."""


Act = Callable[[World, Random], Awaitable[str]]


def mending(act: Act) -> Act:
    """Have a RabbitMQ that breaks down over a deletion restarted, as its operator would.

    One of 3.10.8 that has just started loses its dead-lettering for good when a queue is deleted (measured): it then
    answers 541 for every queue, and nobody but a restart helps.
    """

    async def strike(world: World, random: Random) -> str:
        seen = await act(world, random)
        await asyncio.sleep(BREAKDOWN_SECONDS)
        if "undefined" not in await asyncio.to_thread(world.node.control, "eval", "whereis(rabbit_fifo_dlx_sup)."):
            return seen
        await asyncio.to_thread(world.node.stop)
        await asyncio.to_thread(world.node.start)
        return f"{seen}, at which RabbitMQ broke down and was restarted"

    return strike


async def delete_at_work(queue: str, world: World, random: Random) -> str:
    """Delete a work queue while the function behind it stands still, so that its messages are in flight."""
    service = next(source.service for source in world.known.queue_sources if source.queue == queue)
    pids = [pid for replica in world.free(service) if (pid := world.pid(replica)) is not None]

    async def look() -> str | None:
        async with AsyncExitStack() as stack:
            for pid in pids:
                with suppress(ProcessLookupError):
                    await stack.enter_async_context(held(pid))
            await asyncio.sleep(random.uniform(0.05, 0.3))
            count = await asyncio.to_thread(_total, world, queue)
            if count:
                await asyncio.to_thread(_with_channel, world, lambda channel: channel.queue_delete(queue))
        return f"{count} messages in it" if count else None

    return await until_seen(look, queue)


async def delete_waiting(queue: str, world: World, random: Random) -> str:
    """Delete a queue in which messages wait for their time."""

    def strike(channel: BlockingChannel) -> int:
        waiting = int(channel.queue_declare(queue, passive=True).method.message_count)
        return int(channel.queue_delete(queue).method.message_count) if waiting else 0

    return await _repeatedly(world, queue, strike)


async def purge_waiting(queue: str, world: World, random: Random) -> str:
    """Empty a queue in which messages wait for their time."""
    return await _repeatedly(world, queue, lambda channel: int(channel.queue_purge(queue).method.message_count))


async def delete_rejected(world: World, random: Random) -> str:
    """Have a crash loop fill the queue of what could not be handled, and delete it."""
    async with _orchestrate_in_a_crash_loop(world):
        seen = await delete_waiting(topology.RETRY, world, random)
    world.retry_deleted_at = time.monotonic()
    return f"{seen}, of orchestrate in a crash loop"


async def purge_rejected(world: World, random: Random) -> str:
    """Have a crash loop fill the queue of what could not be handled, and empty it."""
    async with _orchestrate_in_a_crash_loop(world):
        seen = await purge_waiting(topology.RETRY, world, random)
    return f"{seen}, of orchestrate in a crash loop"


async def delete_everything(world: World, random: Random) -> str:
    """Delete every queue and exchange of the table, when something waits in one of them."""
    names = [queue.name for queue in topology.queues() if queue.name != topology.PARKING_LOT]

    def count(channel: BlockingChannel) -> int:
        return sum(int(channel.queue_declare(name, passive=True).method.message_count) for name in names)

    seen = await _repeatedly(world, "all queues", count)
    await asyncio.to_thread(delete_all_queues, world.node.url)
    world.retry_deleted_at = time.monotonic()
    return seen


@asynccontextmanager
async def _orchestrate_in_a_crash_loop(world: World) -> AsyncIterator[None]:
    looping = asyncio.create_task(_crash_loop(world))
    try:
        yield
    finally:
        looping.cancel()


async def _crash_loop(world: World) -> None:
    """Kill both replicas of orchestrate whenever they are back, so that its messages are rejected."""
    while True:
        for replica in world.free("orchestrate"):
            pid = world.pid(replica)
            if pid is not None:
                with suppress(ProcessLookupError):
                    kill(pid)
        await asyncio.sleep(0.2)


async def _repeatedly(world: World, queue: str, strike: Callable[[BlockingChannel], int]) -> str:
    async def look() -> str | None:
        count = 0
        with suppress(AMQPError):  # the queue is missing for a moment, or the broker is
            count = await asyncio.to_thread(_with_channel, world, strike)
        return f"{count} messages in it" if count else None

    return await until_seen(look, queue)


def _with_channel(world: World, work: Callable[[BlockingChannel], Found]) -> Found:
    connection = pika.BlockingConnection(pika.URLParameters(world.node.url))
    try:
        return work(connection.channel())
    finally:
        with suppress(AMQPError):
            connection.close()


def _total(world: World, queue: str) -> int:
    try:
        return int(world.node.control("eval", _HELD.format(queue=queue)))
    except (CalledProcessError, ValueError):  # it is just being declared
        return 0
