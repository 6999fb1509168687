"""Functions of the OpenFaaS stack file behind a gateway like OpenFaaS', fed by the connector, on a real RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from infrastructure.local.proxy import Backend
from infrastructure.local.rabbitmq import PrivateNode
from infrastructure.local.server import HttpServer, listen
from infrastructure.rabbitmq.generate import ROOT
from infrastructure.sandbox.sandbox import Sandbox
from tests.contract.image import stages
from tests.contract.test_openfaas import CONNECTOR, FUNCTIONS
from tests.postgres import PostgresForTests
from tests.system.conftest import emptied
from tests.system.processes_of_ours import PATIENCE_SECONDS, Processes, free_ports

pytestmark = [pytest.mark.slow, pytest.mark.rabbit]

NEEDED = ("ingest", "orchestrate", "deliver-email", "sweep")
KEY = {"X-API-Key": "a-key-of-the-tests"}
EVENT = {
    "event_type": "order_created",
    "user_id": "1",
    "timestamp": "2024-06-01T12:00:00Z",
    "data": {"message": "by way of OpenFaaS", "preferred_channel": "email"},
}


class LikeOpenFaas:
    """OpenFaaS' gateway, as far as a function sees it: /function/NAME is taken off, the rest is passed on."""

    def __init__(self, backends: dict[str, Backend]) -> None:
        self._backends = backends

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, _, name, *rest = scope["path"].split("/")
        path = "/" + "/".join(rest)
        await self._backends[name]({**scope, "path": path, "raw_path": path.encode()}, receive, send)


def secrets(folder: Path, function: str, **known: str) -> str:
    """Mount a function's secrets as files, as OpenFaaS does; return the folder."""
    place = folder / function
    place.mkdir()
    for name in FUNCTIONS[function]["secrets"]:
        (place / name).write_text(f"{known[name.replace('-', '_')]}\n")
    return str(place)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Take mails."""
    made = Sandbox()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def openfaas(
    node: PrivateNode, postgres: PostgresForTests, sandbox: Sandbox, tmp_path: Path
) -> AsyncIterator[str]:
    """Run the functions, the gateway and the connector; return where a function's address begins."""
    real = await emptied(node, postgres)
    known = {"database_url": real["DATABASE_URL"], "amqp_url": real["AMQP_URL"]}
    known |= {"api_keys": f"default:{KEY['X-API-Key']}", "smtp_url": sandbox.smtp.url}
    processes = Processes(tmp_path)
    ports = dict(zip((*NEEDED, "sources"), free_ports(len(NEEDED) + 1), strict=True))
    common = yaml.safe_load((ROOT / "infrastructure/openfaas/settings.yml").read_text())["environment"]
    migrate = await processes.start(
        "migrate", "migrate", "--demo-people", settings={"DATABASE_URL": known["database_url"]}
    )
    assert await asyncio.wait_for(migrate.wait(), PATIENCE_SECONDS) == 0
    async with AsyncExitStack() as stack:
        stack.push_async_callback(processes.end)
        for name in NEEDED:
            told = {**common, **FUNCTIONS[name]["environment"], "SECRETS_DIR": secrets(tmp_path, name, **known)}
            told |= {"HOST": "0.0.0.0", "PORT": str(ports[name])}
            await processes.start(name, *stages()[-1].all("CMD")[0].exec_form(), settings=told)
        session = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        backends = {name: Backend(f"http://127.0.0.1:{ports[name]}", session) for name in NEEDED}
        server = HttpServer(LikeOpenFaas(backends), listen("127.0.0.1", 0))
        await server.start()
        stack.push_async_callback(server.stop)
        arguments = [
            word.replace("//gateway.openfaas:8080", f"//127.0.0.1:{server.port}")
            for word in CONNECTOR["sources"]["args"]
        ]
        there = {"HOST": "127.0.0.1", "PORT": str(ports["sources"]), "AMQP_URL": known["amqp_url"]}
        await processes.start("sources", *arguments, settings=there)
        for name, port in ports.items():
            await processes.healthy(name, port)
        yield f"http://127.0.0.1:{server.port}/function"


async def test_an_event_becomes_a_mail_by_way_of_functions_that_openfaas_calls_and_whoever_has_no_key_is_turned_away(
    openfaas: str, sandbox: Sandbox
) -> None:
    async with aiohttp.ClientSession() as http, http.post(f"{openfaas}/ingest/events", json=EVENT) as answer:
        without = answer.status
    async with aiohttp.ClientSession(headers=KEY) as http:
        async with http.post(f"{openfaas}/ingest/events", json=EVENT) as answer:
            taken = await answer.json()
        status = taken["status"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while status != "sent":
                async with http.get(f"{openfaas}/ingest/api/v1/notifications/{taken['id']}") as answer:
                    status = (await answer.json())["status"]
                await asyncio.sleep(0.05)

    (mail,) = sandbox.mailbox.newest(10)
    assert (mail.to, "by way of OpenFaaS" in mail.as_record()["text"]) == ("ada@example.test", True)
    assert without == 401
