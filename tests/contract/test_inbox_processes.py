"""Open inboxes over real sockets, Postgres and RabbitMQ: two processes of one installation, and what can fail."""

from __future__ import annotations

import asyncio
import base64
import os
import socket as sockets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from functions.realtime.api import RealtimeApi
from functions.realtime.operations import OPERATIONS
from infrastructure.local.server import HttpServer, listen
from shared.broker.rabbit import RabbitBroker
from shared.serve import ApiApp
from shared.step import Api
from shared.store import Store
from shared.store.inbox import NewItem
from tests.asgi import resources
from tests.contract.clean_slate import SOON_SECONDS, hurried_queues
from tests.contract.listening import eventually
from tests.contract.stage import TENANT, USER

pytestmark = pytest.mark.rabbit

SELDOM_SECONDS, OFTEN_SECONDS = 60.0, 0.05
PATIENCE_SECONDS = 20.0
SLOW_READER = 1013


@dataclass
class Side:
    """One process of the realtime side."""

    app: ApiApp
    server: HttpServer
    store: Store
    listening: Any
    sent_bytes: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server.port}"

    async def count(self, app: ApiApp, scope: Any, receive: Any, send: Any) -> None:
        """Pass on to the app, and count what leaves it."""

        async def counted(message: Any) -> None:
            await send(message)
            self.sent_bytes += len(message.get("text") or "")

        await app(scope, receive, counted)


class Building:
    """Opens sides over one database and one broker."""

    def __init__(self, database_url: str, rabbit_url: str) -> None:
        self._database_url, self._rabbit_url = database_url, rabbit_url
        self.stack = AsyncExitStack()

    async def side(
        self, *, look_seconds: float = SELDOM_SECONDS, send_seconds: float = 10.0, ping_seconds: float = 20.0
    ) -> Side:
        """Open one more."""
        store = Store(self._database_url)
        await store.open()
        self.stack.push_async_callback(store.close)
        broker = RabbitBroker(self._rabbit_url, queues=hurried_queues, settle_seconds=SOON_SECONDS)
        await broker.start()
        self.stack.push_async_callback(broker.stop)
        await eventually(lambda: broker.is_ready)
        held = resources(store)
        held.broker = broker
        app = ApiApp(
            Api(
                name="realtime",
                open=lambda held: RealtimeApi(held, look_anyway_seconds=look_seconds, send_seconds=send_seconds),
                operations=OPERATIONS,
            ),
            held,
        )
        await app.start()
        self.stack.push_async_callback(app.drain)

        async def counting(scope: Any, receive: Any, send: Any) -> None:
            await side.count(app, scope, receive, send)

        server = HttpServer(counting, listen("127.0.0.1", 0), ping_seconds=ping_seconds)
        side = Side(app, server, store, lambda: int(held.metrics.websockets._value.get()))
        await server.start()
        self.stack.push_async_callback(server.stop)
        self.stack.push_async_callback(app.dismiss)
        return side


@pytest_asyncio.fixture
async def building(database_url: str, rabbit_url: str) -> AsyncIterator[Building]:
    building = Building(database_url, rabbit_url)
    async with building.stack:
        yield building


@pytest_asyncio.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def put(store: Store, count: int = 1, *, user: str = USER, message: str = "hello") -> list[UUID]:
    keys = [uuid4() for _ in range(count)]
    for key in keys:
        content = {"event_type": "order_shipped", "subject": "", "message": message}
        item = NewItem(tenant=TENANT, user_id=user, notification_id=key, epoch=0, content=content)
        await store.inbox.put([item])
    return keys


async def heard(socket: aiohttp.ClientWebSocketResponse, kind: str) -> Any:
    """Wait for the next frame of a kind."""
    while (frame := await socket.receive_json(timeout=PATIENCE_SECONDS))["type"] != kind:
        pass
    return frame


async def counted(socket: aiohttp.ClientWebSocketResponse, count: int) -> None:
    """Wait until so many are unread."""
    while (await heard(socket, "unread_count"))["count"] != count:
        pass


async def closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Wait until it is closed; return the code."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for _ in socket:
            pass
    return socket.close_code


async def test_what_is_read_at_one_process_is_read_at_the_other(
    building: Building, http: aiohttp.ClientSession
) -> None:
    one, two = await building.side(), await building.side()
    keys = await put(one.store, 3)
    async with http.ws_connect(f"{one.url}/ws/{USER}") as here, http.ws_connect(f"{two.url}/ws/{USER}") as there:
        for socket in (here, there):
            await counted(socket, 3)
        await here.send_json({"type": "read", "id": str(keys[0])})
        told = await heard(there, "marks")
        await counted(there, 2)
        await there.send_json({"type": "read", "all": True})
        await counted(here, 0)

    assert told["read"] == [str(keys[0])]


async def test_hints_that_are_lost_cost_a_look_and_nothing_else(
    building: Building, http: aiohttp.ClientSession
) -> None:
    one, two = await building.side(), await building.side(look_seconds=OFTEN_SECONDS)
    async with http.ws_connect(f"{two.url}/ws/{USER}") as socket:
        await counted(socket, 0)
        (key,) = await put(one.store)  # by a store alone, which tells nobody
        message = await heard(socket, "notification")
        await counted(socket, 1)

    assert message["id"] == str(key)


async def test_while_the_database_is_away_sockets_stay_and_afterwards_nothing_is_missing(
    building: Building, http: aiohttp.ClientSession, database_url: str
) -> None:
    side = await building.side(look_seconds=OFTEN_SECONDS)
    (first,) = await put(side.store)
    async with http.ws_connect(f"{side.url}/ws/{USER}") as reader, http.ws_connect(f"{side.url}/ws/{USER}") as writer:
        await counted(reader, 1)
        await counted(writer, 1)
        async with Outage(database_url):
            await writer.send_json({"type": "archive", "id": str(first)})
            code = await closed(writer)
            await reader.send_json({"type": "ping"})
            await heard(reader, "pong")
        (second,) = await put(side.store)
        message = await heard(reader, "notification")
        await counted(reader, 2)
        async with http.ws_connect(f"{side.url}/ws/{USER}?since=1&change=0") as resumed:
            await resumed.send_json({"type": "archive", "id": str(first)})
            await counted(reader, 1)

    assert (code, message["id"]) == (SLOW_READER, str(second))


class Outage:
    """A database that lets nobody in, and has thrown out who was there."""

    def __init__(self, url: str) -> None:
        self._url, self._name = url, psycopg.conninfo.conninfo_to_dict(url)["dbname"]

    async def __aenter__(self) -> None:
        await self._allow("false")

    async def __aexit__(self, *_: object) -> None:
        await self._allow("true")

    async def _allow(self, said: str) -> None:
        elsewhere = psycopg.conninfo.make_conninfo(self._url, dbname="postgres")
        async with await psycopg.AsyncConnection.connect(elsewhere, autocommit=True) as connection:
            allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS " + said).format(sql.Identifier(str(self._name)))
            await connection.execute(allow)
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (self._name,)
            )


class Follower:
    """A client that resumes wherever it is let in, and keeps what it hears."""

    def __init__(self, http: aiohttp.ClientSession, user: str) -> None:
        self.user, self.cursors, self._http = user, list[int](), http

    async def follow(self, urls: list[str], count: int) -> None:
        """Follow, from one address to the next one, until so many messages are there."""
        async with asyncio.timeout(60):
            while len(self.cursors) < count:
                url = f"{urls[0]}/ws/{self.user}?since={max(self.cursors, default=0)}"
                async with self._http.ws_connect(url) as socket:
                    await self._listen(socket, count)
                urls = urls[1:] or urls

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, count: int) -> None:
        async for frame in socket:
            if frame.json()["type"] == "notification":
                self.cursors.append(frame.json()["cursor"])
            if len(self.cursors) == count:
                return


async def test_when_all_are_cut_at_once_all_come_back_and_miss_nothing(
    building: Building, http: aiohttp.ClientSession
) -> None:
    going, staying = await building.side(), await building.side(look_seconds=OFTEN_SECONDS)
    people = [f"person-{number}" for number in range(100)]
    for user in people:
        await put(going.store, user=user)
    followers = [Follower(http, user) for user in people]
    follows = [asyncio.create_task(one.follow([going.url, staying.url], 5)) for one in followers]
    await eventually(lambda: all(one.cursors for one in followers))

    cut = asyncio.create_task(going.app.dismiss())
    await asyncio.gather(cut, *[put(staying.store, 4, user=user) for user in people])
    await asyncio.gather(*follows)

    assert Counter(tuple(one.cursors) for one in followers) == {(1, 2, 3, 4, 5): 100}


async def open_by_hand(url: str, path: str) -> sockets.socket:
    """Open a WebSocket as a client does, then be told nothing more by any library."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.settimeout(0)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", int(url.rpartition(":")[2])))
    key = base64.b64encode(os.urandom(16)).decode()
    ask = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await loop.sock_sendall(raw, f"{ask}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    return raw


async def test_a_client_that_vanished_without_a_word_is_noticed(building: Building) -> None:
    side = await building.side(ping_seconds=0.2)
    raw = await open_by_hand(side.url, f"/ws/{USER}")
    await eventually(lambda: side.listening() == 1)

    await eventually(lambda: side.listening() == 0)
    raw.close()


async def test_a_client_that_answers_pings_is_not_taken_for_dead(
    building: Building, http: aiohttp.ClientSession
) -> None:
    side = await building.side(ping_seconds=0.2)
    pings = 0
    async with http.ws_connect(f"{side.url}/ws/{USER}", autoping=False) as socket:
        while pings < 5:
            message = await socket.receive(PATIENCE_SECONDS)
            assert message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.TEXT)
            if message.type is aiohttp.WSMsgType.PING:
                pings += 1
                await socket.pong(message.data)

        assert side.listening() == 1


async def test_a_client_that_reads_nothing_holds_little_and_loses_nothing(
    building: Building, http: aiohttp.ClientSession
) -> None:
    side = await building.side(send_seconds=0.5)
    await put(side.store, 160, message="x" * 100_000)
    raw = await open_by_hand(side.url, f"/ws/{USER}?since=0")
    await eventually(lambda: side.sent_bytes > 0)
    await eventually(lambda: side.listening() == 0)
    left_bytes = side.sent_bytes

    async with http.ws_connect(f"{side.url}/ws/{USER}?since=0") as socket:
        cursors = [(await heard(socket, "notification"))["cursor"] for _ in range(160)]
    raw.close()

    assert left_bytes < 8_000_000  # of 16: what is under way to a client is in the system's buffers, and ends there
    assert cursors == list(range(1, 161))
