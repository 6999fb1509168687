"""Leases and the breaker hold across processes: three of them, on one Postgres."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from shared.store import Store
from shared.store.breakers import BreakerState
from tests.integration.one_process import PROVIDER, TENANT
from tests.world import World

PATIENCE_SECONDS = 60


async def three(what: str, url: str, keys: list[str]) -> list[str]:
    """Let three processes do the same at the same time; return all that they say."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "tests.integration.one_process", what, url]
    processes = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(3)]
    said = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(keys).encode() + b"\n")
            assert await process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(b"go\n")
        for process in processes:
            assert process.stdout is not None
            said += json.loads(await process.stdout.readline())
            assert await process.wait() == 0
    return said


async def test_of_three_processes_that_ask_for_the_same_attempts_each_is_given_once(
    store: Store, database_url: str
) -> None:
    world = await World(store).settle_in()
    keys = [str(await world.post_routed(f"order-{number}")) for number in range(60)]

    given = await three("claim", database_url, keys)

    assert Counter(given) == Counter(keys)


async def test_failures_seen_by_three_processes_open_one_breaker_and_one_of_them_probes(
    store: Store, database_url: str
) -> None:
    await three("fail", database_url, [])
    opened = breaker = await store.breakers.read(TENANT, PROVIDER)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while breaker.wait_seconds > 0:
            breaker = await store.breakers.read(TENANT, PROVIDER)
            await asyncio.sleep(0.05)

    granted = await three("probe", database_url, [])

    assert opened.state is BreakerState.OPEN
    assert granted == ["probe"]
