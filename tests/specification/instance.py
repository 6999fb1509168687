"""A whole Carillon in a thread of its own: real functions over a real Postgres, the sandbox for every provider."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from infrastructure.local import manifests, providers
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.in_one_process import LOCAL_ROUTES, in_one_process
from infrastructure.local.server import HttpServer, listen
from infrastructure.local.workers import SANDBOX
from infrastructure.sandbox.routes import sandbox_app
from infrastructure.sandbox.sandbox import Sandbox
from shared.auth import Keys
from shared.settings import Settings
from shared.store.migrating import migrate
from tests.postgres import PostgresForTests

KEY = "a-key-for-this-instance"
TENANT = "acme"
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Instance:
    """Where it is."""

    url: str
    sandbox: Sandbox


@asynccontextmanager
async def carillon(postgres: PostgresForTests) -> AsyncIterator[Instance]:
    """Run everything in this loop, behind its gateway, on a port of its own."""
    async with AsyncExitStack() as stack:
        database = await postgres.fresh_database(migrate_to_newest)
        settings = Settings.model_validate(
            {"database_url": database, "api_keys": f"{TENANT}:{KEY}", "host": "127.0.0.1", "sandbox": True}
        )
        sandbox = Sandbox()
        await started(stack, sandbox.start, sandbox.stop)
        complete = settings.model_copy(update=providers.sandboxed(settings, sandbox))
        known = manifests.read()
        backends = await in_one_process(complete, known, stack)
        backends[SANDBOX] = sandbox_app(sandbox.mailbox, sandbox.moods, Keys(complete))
        listener = stack.enter_context(listen("127.0.0.1", 0))
        server = HttpServer(Gateway((*known.routes, *LOCAL_ROUTES), backends), listener)
        await started(stack, server.start, server.stop)
        yield Instance(f"http://127.0.0.1:{server.port}", sandbox)


async def migrate_to_newest(url: str) -> None:
    """Prepare the database that others are copied from."""
    await migrate(url)


@contextmanager
def in_a_thread(postgres: PostgresForTests) -> Iterator[Instance]:
    """Run one beside the test: whoever asks it may block."""
    loop = asyncio.new_event_loop()
    found: list[Instance] = []
    is_up, is_over = threading.Event(), asyncio.Event()

    async def live() -> None:
        try:
            async with carillon(postgres) as instance:
                found.append(instance)
                is_up.set()
                await is_over.wait()
        finally:
            is_up.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(live(),))
    thread.start()
    try:
        assert is_up.wait(READY_SECONDS)
        assert found, "it did not start: its log says why"
        yield found[0]
    finally:
        loop.call_soon_threadsafe(is_over.set)
        thread.join(READY_SECONDS)
        with contextlib.suppress(RuntimeError):
            loop.close()
