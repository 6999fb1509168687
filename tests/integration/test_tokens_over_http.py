"""People's tokens, from the backend that asks for one to the browser that opens its WebSocket with it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from infrastructure.local.processes import free_port
from infrastructure.local.server import HttpServer, listen
from shared import logs, serve
from shared.access import Caller
from shared.runtime import Resources
from shared.serve import App
from shared.store import Store
from shared.store.directory import User
from tests.asgi import Answer, call, resources
from tests.signers import signed

ROOT = {"x-api-key": "root-key"}
PATIENCE_SECONDS = 20.0


@pytest.fixture
async def process(store: Store) -> AsyncIterator[Resources]:
    await store.directory.put_users("acme", [User(id="7", name="Ada"), User(id="8", name="Grace")])
    opened = resources(store, api_keys="acme:root-key")
    yield opened
    await opened.gate.close()


@pytest.fixture
def app(process: Resources) -> App:
    return serve.build("access", process)


async def ask_for_token(app: App, document: Any) -> Answer:
    body = json.dumps(document).encode()
    return await call(app, "POST", "/auth/token", body, {"content-type": "application/json", **ROOT})


async def token_for(app: App, user_id: str = "7") -> str:
    return str((await ask_for_token(app, {"user_id": user_id})).document["token"])


async def test_a_backend_gets_a_token_for_one_of_its_users(app: App, process: Resources) -> None:
    answer = await ask_for_token(app, {"user_id": 7, "expires_in": 600})
    directory = serve.build("directory", process)
    headers = {"authorization": f"Bearer {answer.document['token']}"}

    statuses = [(await call(directory, "GET", f"/users/{who}", b"", headers)).status for who in ("7", "8", "9")]

    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert {**answer.document, "token": ""} == {"token": "", "token_type": "Bearer", "expires_in": 600}
    assert statuses == [200, 403, 403]


async def test_a_token_of_one_process_is_good_in_another(app: App, another_store: Store) -> None:
    token = await token_for(app)
    elsewhere = resources(another_store, api_keys="acme:root-key")

    answer = await call(
        serve.build("directory", elsewhere), "GET", "/users/7", b"", {"authorization": f"Bearer {token}"}
    )

    assert answer.status == 200


async def test_a_token_that_cannot_be_is_refused_by_its_field(app: App) -> None:
    asked = [
        ({}, 422, "user_id"),
        ({"user_id": ""}, 422, "user_id"),
        ({"user_id": True}, 422, "user_id"),
        ({"user_id": "a\nb"}, 422, "user_id"),
        ({"user_id": "9"}, 404, "user_id"),
        ({"user_id": "7", "expires_in": 59}, 422, "expires_in"),
        ({"user_id": "7", "expires_in": 86_401}, 422, "expires_in"),
        ({"user_id": "7", "tenant": "globex"}, 422, "tenant"),
    ]

    answers = [await ask_for_token(app, document) for document, _, _ in asked]

    assert [(answer.status, answer.document["field"]) for answer in answers] == [
        (status, field) for _, status, field in asked
    ]


@pytest.fixture
async def url(process: Resources) -> AsyncIterator[str]:
    """The address of realtime on a port."""
    realtime = serve.build("realtime", process)
    server = HttpServer(realtime, listen("127.0.0.1", free_port()))
    await server.start()
    yield f"http://127.0.0.1:{server.port}/ws"
    await realtime.drain()
    await server.stop()


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(aiohttp.ClientSession())


async def status_of(browser: aiohttp.ClientSession, url: str, protocols: tuple[str, ...] = ()) -> int:
    """Open a WebSocket; return 101, or the status of the refusal."""
    try:
        async with browser.ws_connect(url, protocols=protocols):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def test_a_browser_opens_its_own_socket_with_a_token_in_one_of_the_places_it_has(
    app: App, url: str, browser: aiohttp.ClientSession
) -> None:
    token = await token_for(app)

    in_protocol = ("carillon", f"bearer.{token}")
    async with browser.ws_connect(f"{url}/7", protocols=in_protocol) as socket:
        assert socket.protocol == "carillon"

    assert await status_of(browser, f"{url}/7?token={token}") == 101
    assert await status_of(browser, f"{url}/8?token={token}") == 403
    assert await status_of(browser, f"{url}/8", in_protocol) == 403


async def test_a_socket_without_a_good_token_is_not_opened(url: str, browser: aiohttp.ClientSession) -> None:
    forged = signed(sub="7")

    assert await status_of(browser, f"{url}/7") == 401
    assert await status_of(browser, f"{url}/7?token={forged}") == 401
    assert await status_of(browser, f"{url}/7", ("carillon", f"bearer.{forged}")) == 401


async def test_a_key_does_not_belong_into_an_address(url: str, browser: aiohttp.ClientSession) -> None:
    assert await status_of(browser, f"{url}/7?token=root-key") == 401
    assert await status_of(browser, f"{url}/7", ("carillon", "bearer.root-key")) == 401


async def test_elsewhere_than_at_a_socket_an_address_shows_nobody(app: App, process: Resources) -> None:
    token = await token_for(app)

    answer = await call(serve.build("directory", process), "GET", f"/users/7?token={token}")

    assert answer.status == 401


class BriefGate:
    """A gate that lets everybody in with a token that is nearly over."""

    async def admit(self, *_: object) -> Caller:
        """Let in."""
        return Caller(tenant="acme", name="person:7", user_id="7", valid_seconds=0.05)

    async def close(self) -> None:
        """Nothing is held."""


async def test_a_socket_ends_with_its_token(store: Store, browser: aiohttp.ClientSession) -> None:
    brief = resources(store)
    vars(brief)["gate"] = BriefGate()
    realtime = serve.build("realtime", brief)
    server = HttpServer(realtime, listen("127.0.0.1", free_port()))
    await server.start()

    async with browser.ws_connect(f"http://127.0.0.1:{server.port}/ws/7") as socket:
        message = await socket.receive(PATIENCE_SECONDS)
    await realtime.drain()
    await server.stop()

    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


async def test_no_token_is_written_down_on_its_way(
    app: App, url: str, browser: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, root = await token_for(app), logging.getLogger()
    handlers, level, stderr = root.handlers[:], root.level, io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    logs.configure("DEBUG")

    await status_of(browser, f"{url}/7?token={token}")
    await status_of(browser, f"{url}/8?token={token}")
    await status_of(browser, f"{url}/7", ("carillon", f"bearer.{token}"))
    root.handlers[:] = handlers
    root.setLevel(level)

    assert token not in stderr.getvalue()
    assert token.split(".")[2] not in stderr.getvalue()
