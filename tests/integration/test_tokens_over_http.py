"""People's tokens, from the backend that asks for one to the browser that opens its WebSocket with it."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import jwt
import pytest

from infrastructure.local.processes import free_port
from infrastructure.local.server import HttpServer, listen
from shared import logs, serve
from shared.access import Caller
from shared.runtime import Resources
from shared.serve import App
from shared.store import Store
from shared.store.directory import User
from shared.version import VERSION
from tests.asgi import Answer, Socket, call, resources
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


async def me(app: App, headers: dict[str, str]) -> Answer:
    return await call(app, "GET", "/auth/me", b"", headers)


def bearing(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "content-type": "application/json"}


async def test_an_operator_gets_a_token_with_scopes_and_is_told_what_they_may(app: App) -> None:
    made = await ask_for_token(app, {"user_id": "7", "scopes": ["manage", "read"]})
    headers = bearing(made.document["token"])

    told = await me(app, headers)
    refused = await call(app, "GET", "/keys", b"", headers)

    assert (told.status, told.headers["cache-control"]) == (200, "no-store")
    assert told.document == {
        "tenant": "acme", "name": told.document["name"], "scopes": ["read", "manage"], "is_open": False,
        "version": VERSION,
    }  # fmt: skip
    assert told.document["name"].startswith("person:")
    assert refused.status == 403


async def test_a_person_without_scopes_is_no_operator(app: App) -> None:
    assert (await me(app, bearing(await token_for(app)))).status == 403


async def test_a_key_is_told_what_it_may_and_an_open_api_that_it_is_open(app: App, store: Store) -> None:
    by_key = await me(app, ROOT)
    anybody = await me(serve.build("access", resources(store)), {})

    every = ["send", "read", "manage", "receipts", "admin"]
    assert (by_key.document["tenant"], by_key.document["scopes"], by_key.document["is_open"]) == ("acme", every, False)
    assert (anybody.document["name"], anybody.document["scopes"], anybody.document["is_open"]) == ("open", every, True)


async def test_nobody_gives_more_than_they_have(app: App) -> None:
    made = await ask_for_token(app, {"user_id": "7", "scopes": ["manage", "read"]})
    headers = bearing(made.document["token"])

    async def ask(document: Any) -> Answer:
        return await call(app, "POST", "/auth/token", json.dumps(document).encode(), headers)

    refused = await ask({"user_id": "8", "scopes": ["read", "admin"]})
    given = await ask({"user_id": "8", "scopes": ["read"]})
    unknown = await ask({"user_id": "8", "scopes": ["person"]})

    assert (refused.status, refused.document["field"]) == (403, "scopes")
    assert given.status == 200
    assert (unknown.status, unknown.document["field"].partition("[")[0]) == (422, "scopes")


async def test_no_token_that_is_made_with_a_token_outlives_it(app: App) -> None:
    made = await ask_for_token(app, {"user_id": "7", "scopes": ["manage"], "expires_in": 60})
    expiring = signed_by(made.document["token"])
    body = json.dumps({"user_id": "8", "expires_in": 86_400}).encode()

    answer = await call(app, "POST", "/auth/token", body, bearing(made.document["token"]))

    assert answer.document["expires_in"] <= 60
    assert signed_by(answer.document["token"])["exp"] <= expiring["exp"]


async def test_a_token_at_its_end_makes_no_other_one(store: Store, process: Resources) -> None:
    secret = "a secret of these tests that has more than 32 bytes"
    app = serve.build("access", resources(store, jwt_secret=secret))
    ending = signed(secret, sub="7", scope="carillon:manage", exp=int(time.time()) - 2)  # clocks may differ by ten

    answer = await call(app, "POST", "/auth/token", b'{"user_id": "7"}', bearing(ending))

    assert answer.status == 403
    assert "at its end" in answer.document["detail"]


async def test_in_an_address_a_token_opens_what_is_that_persons_and_nobody_elses(app: App, process: Resources) -> None:
    made = await ask_for_token(app, {"user_id": "7", "scopes": ["read", "manage"]})
    realtime, token = serve.build("realtime", process), made.document["token"]

    by_header = Socket(realtime, "/ws/8", {"authorization": f"Bearer {token}"})
    by_address = Socket(realtime, f"/ws/8?token={token}")
    own = Socket(realtime, f"/ws/7?token={token}")

    await by_header.is_open()
    await own.is_open()
    await by_address.ends()
    for socket in (by_header, own):
        socket.leave()
        await socket.ends()
    assert by_address.denial is not None
    assert by_address.denial[0] == 403


def signed_by(token: str) -> dict[str, Any]:
    """Read what a token says."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


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
        while message.type is aiohttp.WSMsgType.TEXT:
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
