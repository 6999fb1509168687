"""Functions in processes of their own, between them the Broker of this one: one of them is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import aiohttp
import pytest
from pydantic import SecretStr

from infrastructure.local import manifests, one_process_each, providers
from infrastructure.local.demo_data import put_demo_people
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.private_instance import Instance
from infrastructure.local.processes import Supervisor
from infrastructure.local.records import Manifests
from infrastructure.local.server import HttpServer, listen
from infrastructure.sandbox.sandbox import Sandbox
from shared.settings import Settings
from tests.system.client import Client

NEEDED = {"ingest", "orchestrate", "deliver-email", "sweep"}
OVERLAY = manifests.DEFAULT_FOLDER.parent / "overlays" / "broker"

pytestmark = pytest.mark.slow


class Watched(Supervisor):
    """The one that keeps the functions alive."""

    found: ClassVar[list[Supervisor]] = []

    async def start(self) -> None:
        self.found.append(self)
        await super().start()


def as_few_as_possible() -> Manifests:
    """Read the overlay, without the functions that a mail does not need: each is a process."""
    known = manifests.read(OVERLAY)
    return replace(
        known,
        services={name: service for name, service in known.services.items() if name in NEEDED},
        triggers=tuple(trigger for trigger in known.triggers if trigger.service in NEEDED),
        routes=tuple(route for route in known.routes if route.service in NEEDED),
    )


async def test_a_function_that_is_killed_loses_no_mail_and_sends_none_twice(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_process_each, "Supervisor", Watched)
    known = as_few_as_possible()
    posted = ["before", "after 1", "after 2", "after 3"]
    async with AsyncExitStack() as stack:
        sandbox = Sandbox()
        await started(stack, sandbox.start, sandbox.stop)
        asked = Settings.model_validate({"database_url": database_url, "channels": "email", "sandbox": True})
        told = {"database_url": SecretStr(database_url), "channels": "email", **providers.sandboxed(asked, sandbox)}
        environment = providers.as_environment(told)
        backends = await one_process_each.one_process_each(environment, known, stack, batch=False)
        listener = stack.enter_context(listen("127.0.0.1", 0))
        server = HttpServer(Gateway(known.routes, backends), listener)
        await started(stack, server.start, server.stop)
        await put_demo_people(database_url)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        carillon = Client(Instance(f"http://127.0.0.1:{server.port}", cast(Any, None), Path()), http)

        await carillon.until(await carillon.post(posted[0], user="1"), "sent")
        (supervisor,) = Watched.found
        killed = supervisor.pid("deliver-email")
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        keys = [await carillon.post(message, user="1") for message in posted[1:]]
        await asyncio.gather(*[carillon.until(key, "sent") for key in keys])

        mails = [str(message.as_record()["text"]) for message in sandbox.mailbox.newest()]

        assert supervisor.pid("deliver-email") not in (killed, None)
        assert sorted(one for mail in mails for one in posted if one in mail) == sorted(posted)
