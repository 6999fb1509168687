"""What was accepted ends, whatever is struck on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local.postgres_account import make_temporary_directory
from infrastructure.local.private_instance import private_instance
from infrastructure.local.rabbitmq import PrivateNode
from tests.contract.clean_slate import delete_all_queues
from tests.system.client import Client
from tests.system.conftest import ONE_PROCESS, PROCESSES, WAYS, WORKERS, running

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]

MANY = 300


async def all_sent(carillon: Client, keys: list[str]) -> None:
    """Wait until all of them are sent, and find every one of them in the mailbox."""
    for key in keys:
        await carillon.until(key, "sent")


async def post_many(carillon: Client, count: int = MANY) -> list[str]:
    return list(await asyncio.gather(*[carillon.post(f"Order #{number}") for number in range(count)]))


async def test_queues_deleted_in_mid_flight_lose_nothing(real_settings: dict[str, str], node: PrivateNode) -> None:
    async with running(WAYS[ONE_PROCESS](real_settings)) as carillon:
        posting = asyncio.create_task(post_many(carillon))
        await carillon.until(await carillon.post("the first"), "sent")

        await asyncio.to_thread(delete_all_queues, node.url)

        await all_sent(carillon, await posting)


async def test_the_intake_goes_on_without_rabbitmq_and_delivery_when_it_is_back(
    real_settings: dict[str, str], node: PrivateNode
) -> None:
    async with running(WAYS[ONE_PROCESS](real_settings)) as carillon:
        before = await post_many(carillon, 50)
        await asyncio.to_thread(node.kill)

        during = await post_many(carillon, 50)

        await asyncio.to_thread(node.start)
        await all_sent(carillon, [*before, *during])


async def test_a_killed_function_loses_nothing(real_settings: dict[str, str]) -> None:
    async with running(WAYS[PROCESSES]({**real_settings, "CHANNELS": "email"})) as carillon:
        posting = asyncio.create_task(post_many(carillon))
        await carillon.until(await carillon.post("the first"), "sent")

        for name in ("orchestrate", "deliver-email", "sources"):
            kill(carillon, name)

        await all_sent(carillon, await posting)


@pytest.mark.parametrize("part", ["requests", "queues-and-clock"])
async def test_a_killed_worker_is_replaced_and_nobody_is_turned_away(real_settings: dict[str, str], part: str) -> None:
    async with running(WAYS[WORKERS](real_settings)) as carillon:
        await all_sent(carillon, await post_many(carillon, 100))

        kill(carillon, part)

        async with aiohttp.ClientSession() as fresh:  # nothing is kept alive with the one that died
            client = Client(carillon.instance, fresh)
            client.user = carillon.user
            await all_sent(client, await post_many(client, 20))
        assert [len(processes(carillon, word)) for word in ("requests", "queues-and-clock")] == [1, 1]


def kill(carillon: Client, name: str) -> None:
    """SIGKILL the process of a function."""
    (pid,) = processes(carillon, name)
    os.kill(pid, signal.SIGKILL)


def processes(carillon: Client, word: str) -> list[int]:
    """Find the children of the instance whose command line has a word."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == carillon.instance.process.pid and word.encode() in words:
            found.append(int(process.name))
    return found


async def test_kill_9_loses_nothing_and_leaves_nothing_running() -> None:
    folder = make_temporary_directory("carillon-strikes-")
    settings = {"DATA_DIR": str(folder / "data")}
    async with aiohttp.ClientSession() as http:
        async with private_instance(**settings) as instance:
            carillon = await Client(instance, http).settle_in()
            keys = await post_many(carillon, 100)
            instance.process.kill()
            await instance.process.wait()

        async with private_instance(**settings) as instance:
            carillon = Client(instance, http)
            for key in keys:
                await carillon.until(key, "sent")


async def test_sigterm_finishes_what_is_held() -> None:
    folder = make_temporary_directory("carillon-strikes-")
    settings = {"DATA_DIR": str(folder / "data")}
    async with aiohttp.ClientSession() as http:
        async with private_instance(**settings) as instance:
            keys = await post_many(await Client(instance, http).settle_in(), 100)
            instance.process.terminate()
            assert await instance.process.wait() == 0

        async with private_instance(**settings) as instance:
            carillon = Client(instance, http)
            documents = [await carillon.until(key, "sent") for key in keys]
            assert all(not attempt["ambiguous"] for document in documents for attempt in document["attempts"])
