"""Everything in this process, put together from the overlay with a Broker: no RabbitMQ, and nothing lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import aiohttp
import pytest
import pytest_asyncio

from functions.sweep import returning
from infrastructure.local import in_one_process, manifests, providers
from infrastructure.local.functions import started
from infrastructure.local.gateway import Gateway
from infrastructure.local.private_instance import Instance
from infrastructure.local.server import HttpServer, listen
from infrastructure.local.targets import AsgiTarget, Headers, Read
from infrastructure.local.workers import SANDBOX
from infrastructure.sandbox.routes import sandbox_app
from infrastructure.sandbox.sandbox import Sandbox
from shared.auth import Keys
from shared.settings import Settings
from shared.store.migrating import migrate
from tests.otlp_receiver import Collector, collector
from tests.postgres import PostgresForTests
from tests.system.client import Client

OVERLAY = manifests.DEFAULT_FOLDER.parent / "overlays" / "broker"
AWAY = 500
SOON = 1
PATIENCE_SECONDS = 60
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Hop:
    """An event that a function was sent, and what it answered."""

    function: str
    headers: Mapping[str, str]
    notification_id: str | None
    status: int


class Watched(AsgiTarget):
    """A function that is watched, and can be away."""

    away: ClassVar[set[str]] = set()
    hops: ClassVar[list[Hop]] = []

    async def post(self, headers: Headers, body: bytes, read: Read | None = None) -> int:
        name = cast(Any, self._app).name
        status = AWAY if name in self.away else await super().post(headers, body, read)
        data = json.loads(body)
        self.hops.append(Hop(name, dict(headers), data.get("notification_id"), status))
        return status


def hops(key: str, function: str) -> list[Hop]:
    """List what a function was sent about a notification."""
    return [hop for hop in Watched.hops if hop.notification_id == key and hop.function == function]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what functions do in this loop."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - a poll with a deadline
            await asyncio.sleep(0.02)


async def migrate_to_newest(url: str) -> None:
    """Prepare the database that others are copied from."""
    await migrate(url)


async def run(postgres: PostgresForTests, stack: AsyncExitStack, **settings: Any) -> str:
    """Run everything behind one address, which is returned."""
    database = await postgres.fresh_database(migrate_to_newest)
    known = manifests.read(OVERLAY)
    quick = tuple(replace(one, delivery=replace(one.delivery, backoff_seconds=0.005)) for one in known.triggers)
    known = replace(known, triggers=quick)
    asked = Settings.model_validate({"database_url": database, "host": "127.0.0.1", "sandbox": True, **settings})
    sandbox = Sandbox()
    await started(stack, sandbox.start, sandbox.stop)
    complete = asked.model_copy(update=providers.sandboxed(asked, sandbox))
    backends = await in_one_process.in_one_process(complete, known, stack)
    backends[SANDBOX] = sandbox_app(sandbox.mailbox, sandbox.moods, Keys(complete))
    listener = stack.enter_context(listen("127.0.0.1", 0))
    server = HttpServer(Gateway((*known.routes, *in_one_process.LOCAL_ROUTES), backends), listener)
    await started(stack, server.start, server.stop)
    return f"http://127.0.0.1:{server.port}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance(postgres: PostgresForTests) -> AsyncIterator[tuple[Instance, Collector]]:
    """Run one for all tests here; what comes back from a dispatcher is looked at soon."""
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(in_one_process, "AsgiTarget", Watched)
        patch.setattr(returning, "RETRY_AFTER_SECONDS", SOON)
        found = await stack.enter_async_context(collector())
        url = await run(postgres, stack, otel_exporter_otlp_endpoint=found.url)
        yield Instance(url, cast(Any, None), Path()), found


@pytest_asyncio.fixture(loop_scope="module")
async def carillon(instance: tuple[Instance, Collector]) -> AsyncIterator[Client]:
    """Be a user of it, with a person of one's own to write to."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        yield await Client(instance[0], http).settle_in()
    Watched.away.clear()


async def test_an_event_goes_from_trigger_to_trigger_until_its_mail_has_arrived(carillon: Client) -> None:
    key = await carillon.post("on a Broker")
    await carillon.until(key, "sent")
    await until(lambda: len(hops(key, "orchestrate")) == 2)

    way = [(hop.function, hop.headers["ce-carillonqueue"]) for hop in Watched.hops if hop.notification_id == key]
    assert way == [
        ("orchestrate", "events.main"),
        ("deliver-email", "saga.commands.email"),
        ("orchestrate", "saga.events"),
    ]
    (mail,) = await carillon.mails()
    assert "on a Broker" in mail


async def test_what_is_to_be_tried_again_later_is_brought_by_the_sweep(carillon: Client) -> None:
    await carillon.put("/workflows/tried_again", {"channels": ["email"], "retry_seconds": [0.5, 0.5, 0.5]})
    await carillon.put(f"/users/{carillon.user}", {"name": "Somebody", "email": f"failtwice+{carillon.user}@a.test"})

    key = await carillon.post("in the end", event_type="tried_again")
    told = await carillon.until(key, "sent", "failed")

    assert told["status"] == "sent"
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["transient", "transient", "accepted"]
    commands = hops(key, "deliver-email")
    assert [hop.headers["ce-source"] for hop in commands] == ["/carillon/orchestrate", *["/carillon/sweep"] * 2]


@pytest.mark.parametrize("function", ["orchestrate", "deliver-email"])
async def test_what_a_function_could_not_take_for_a_while_comes_back_from_the_dead_letter_sink(
    carillon: Client, function: str
) -> None:
    Watched.away.add(function)
    key = await carillon.post("not lost")
    await until(lambda: bool(hops(key, "sweep")))
    Watched.away.clear()
    told = await carillon.until(key, "sent")

    (dead,) = hops(key, "sweep")
    assert (dead.headers["ce-knativeerrorcode"], dead.status) == (str(AWAY), 200)
    assert dead.headers["ce-knativeerrordest"] == f"http://{function}.carillon.svc.cluster.local"
    assert [hop.status for hop in hops(key, function)][:4] == [AWAY, AWAY, AWAY, 200]
    assert len(told["attempts"]) == 1
    assert len(await carillon.mails()) == 1


async def test_a_socket_is_woken_without_a_fanout_exchange(carillon: Client) -> None:
    async with carillon.socket() as socket:
        await carillon.post("look here", channel="websocket")
        while (frame := await socket.receive_json(timeout=PATIENCE_SECONDS))["type"] != "notification":
            pass

    assert frame["message"] == "look here"


async def test_one_trace_goes_over_every_hop(carillon: Client, instance: tuple[Instance, Collector]) -> None:
    event = {"event_type": "traced", "user_id": carillon.user, "data": {"message": "x", "preferred_channel": "email"}}
    traceparent = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    async with carillon.http.post(f"{carillon.instance.url}/events", json=event, headers=traceparent) as answer:
        assert answer.status == 202, await answer.text()

    spans = await instance[1].until(TRACE, "POST", "orchestrate", "deliver-email", "call smtp")

    (root,) = [span for span in spans if span.name == "POST"]
    assert {span.parent for span in spans if span.name in {"orchestrate", "deliver-email"}} == {root.span}
