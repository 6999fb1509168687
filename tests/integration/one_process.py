"""One of several processes on one Postgres: it does what its arguments say as soon as it is told to go."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from uuid import UUID, uuid4

from shared.statuses import Channel
from shared.store import Store
from shared.store.claims import Command, Verdict
from tests.world import claims_of

OPEN_SECONDS = 1.0
TENANT, PROVIDER = "default", "smtp"


async def claim(store: Store, keys: list[str]) -> list[str]:
    """Ask for every command, in an order of one's own; return those that were given."""
    random.shuffle(keys)
    commands = [Command(UUID(key), 1, 0) for key in keys]
    sets = [commands[start : start + 7] for start in range(0, len(commands), 7)]
    given = []
    for asked in sets:
        claims = claims_of(await store.claims.claim(Channel.EMAIL, asked))
        given += [
            str(c.notification_id) for c, got in zip(asked, claims, strict=True) if got.verdict is Verdict.CLAIMED
        ]
    return given


async def fail_twice(store: Store, keys: list[str]) -> list[str]:
    """Let the provider fail twice."""
    for _ in range(2):
        await store.breakers.fail(TENANT, PROVIDER, None)
    return [(await store.breakers.read(TENANT, PROVIDER)).state.value]


async def probe(store: Store, keys: list[str]) -> list[str]:
    """Ask twenty times to be the probe; return the times that were granted."""
    return ["probe" for _ in range(20) if await store.breakers.try_probe(TENANT, PROVIDER, uuid4())]


async def main(name: str, url: str) -> None:
    """Get ready, wait for the word, act, and print what came of it."""
    keys = json.loads(sys.stdin.readline())
    store = Store(url, breaker_open_seconds=OPEN_SECONDS)
    await store.open()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(await {"claim": claim, "fail": fail_twice, "probe": probe}[name](store, keys)), flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
