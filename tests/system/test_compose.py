"""The compose file without Docker: its commands with its environments, as processes, on a real broker and database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from infrastructure.local.addresses import Addresses
from infrastructure.local.private_instance import Instance
from infrastructure.local.rabbitmq import PrivateNode
from tests.contract.compose import Service, services
from tests.contract.image import stages
from tests.postgres import PostgresForTests
from tests.redis_server import RedisForTests
from tests.system.client import Client
from tests.system.conftest import emptied
from tests.system.processes_of_ours import PATIENCE_SECONDS, Processes, free_ports

pytestmark = [pytest.mark.slow, pytest.mark.rabbit, pytest.mark.redis]

SANDBOX_PORTS = {"--smtp-port": 1025, "--providers-port": 8081}
MESSAGES = {"email": "a letter", "sms": "a text", "whatsapp": "a chat", "telegram": "a bot", "push": "a bell"}


class Stack:
    """Every service of ours as a process, at ports that are free."""

    def __init__(self, replaced: Mapping[str, str], logs: Path) -> None:
        self._services = {name: service for name, service in services().items() if service.is_ours}
        wanted = [
            (name, port)
            for name, service in self._services.items()
            for port in (service.port, *(SANDBOX_PORTS.values() if name == "sandbox" else ()))
        ]
        self._places = dict(zip(wanted, free_ports(len(wanted)), strict=True))
        self._replaced = dict(replaced)
        self.processes = Processes(logs)

    def port(self, name: str) -> int:
        """Where a service listens here."""
        return self._places[name, self._services[name].port]

    def _moved(self, text: str) -> str:
        """Write an address of the compose file as it is on this machine."""
        for (name, port), place in self._places.items():
            text = text.replace(f"//{name}:{port}", f"//127.0.0.1:{place}")
        return text

    def _command(self, service: Service) -> list[str]:
        words = list(service.command)
        if "--at" in words:  # a name is no address here: each is told alone
            at = words.index("--at")
            addresses = Addresses(pattern=words[at + 1]).of(self._services)
            told = [f"{name}={url}" for name, url in addresses.items() if name not in ("migrate", "sandbox")]
            words[at : at + 2] = [part for one in told for part in ("--service", one)]
        if service.name == "sandbox":
            for option, port in SANDBOX_PORTS.items():
                words += [option, str(self._places["sandbox", port])]
        return [self._moved(word) for word in words]

    def _settings(self, service: Service) -> dict[str, str]:
        said = {name: self._moved(value) for name, value in service.environment.items()}
        said |= {name: value for name, value in self._replaced.items() if name in said}
        return {"HOST": stages()[-1].environment()["HOST"], **said, "PORT": str(self.port(service.name))}

    async def start(self, name: str) -> asyncio.subprocess.Process:
        """Start one."""
        service = self._services[name]
        return await self.processes.start(name, *self._command(service), settings=self._settings(service))

    async def bring_up(self) -> None:
        """Start all, each when those that it waits for are what it waits for."""
        migrate = await self.start("migrate")
        assert await asyncio.wait_for(migrate.wait(), PATIENCE_SECONDS) == 0
        await asyncio.gather(*[self.start(name) for name in self._services if name not in ("migrate", "gateway")])
        await self.processes.healthy("ingest", self.port("ingest"))
        await self.start("gateway")
        lasting = [name for name in self._services if name != "migrate"]
        await asyncio.gather(*[self.processes.healthy(name, self.port(name)) for name in lasting])


@pytest.fixture
async def stack(node: PrivateNode, postgres: PostgresForTests, tmp_path: Path) -> AsyncIterator[Stack]:
    """Run it all."""
    redis = RedisForTests()
    real = await emptied(node, postgres)
    made = Stack({**real, "REDIS_URL": redis.url}, tmp_path)
    async with AsyncExitStack() as ends:
        ends.callback(redis.discard)
        redis.start()
        ends.push_async_callback(made.processes.end)
        await made.bring_up()
        yield made


async def test_a_message_on_every_channel_goes_through_all_of_it_and_all_of_it_ends_in_order(stack: Stack) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        carillon = Client(
            Instance(f"http://127.0.0.1:{stack.port('gateway')}", stack.processes["gateway"], stack.processes.logs),
            http,
        )
        ada = await carillon.post("a letter to somebody who is there already", user="1")
        contacts = {"phone": "+15551230001", "whatsapp": "+15551230002", "telegram": "5551230003"}
        await carillon.put(f"/users/{carillon.user}", {"email": "all@example.test", **contacts})
        await carillon.put(f"/users/{carillon.user}/devices/device-1", {"provider": "onesignal", "platform": "android"})

        keys = [await carillon.post(text, channel=channel) for channel, text in MESSAGES.items()]
        async with carillon.socket(since=0) as socket:
            pushed = await carillon.post("at once", channel="websocket")
            said = ""
            async with asyncio.timeout(PATIENCE_SECONDS):
                while "at once" not in said:
                    said = await socket.receive_str()
        for key in (ada, *keys, pushed):
            await carillon.until(key, "sent", "delivered")
        found = await carillon.get("/sandbox/messages")
    smoke = await asyncio.create_subprocess_exec("sh", "infrastructure/container/smoke.sh", carillon.instance.url)

    assert await asyncio.wait_for(smoke.wait(), PATIENCE_SECONDS) == 0, "what the workflow asks of it"
    for channel, text in MESSAGES.items():
        assert [one["text"] for one in found if one["channel"] == channel and text in one["text"]], channel
    assert "ada@example.test" in {one["to"] for one in found}
    assert set((await stack.processes.end()).values()) == {0}


def test_of_every_address_by_pattern_the_port_is_where_the_function_listens() -> None:
    ours: Sequence[Service] = [service for service in services().values() if service.is_ours]
    patterns = {one.command[one.command.index("--at") + 1] for one in ours if "--at" in one.command}

    (pattern,) = patterns
    functions = [one for one in ours if one.command[0] == "serve"]

    assert {Addresses(pattern=pattern).of([one.name])[one.name] for one in functions} == {
        f"http://{one.name}:{one.port}" for one in functions
    }
