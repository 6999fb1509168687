from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route as Path
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from yarl import URL

from infrastructure.local.applications import AsgiApp
from infrastructure.local.gateway import Gateway
from infrastructure.local.processes import free_port
from infrastructure.local.proxy import Backend
from infrastructure.local.records import Route
from infrastructure.local.server import HttpServer, PortTaken, listen
from infrastructure.local.targets import NO_ANSWER, HttpTarget

LOOPBACK = "127.0.0.1"


async def echo(request: Request) -> Response:
    body = await request.body()
    seen = {"method": request.method, "path": request.url.path, "query": request.url.query, "size": len(body)}
    return JSONResponse(seen | {"headers": dict(request.headers)}, status_code=202, headers={"X-Answer": "yes"})


async def raw_path(request: Request) -> Response:
    return Response(request.scope["raw_path"])


async def cookies(_: Request) -> Response:
    response = Response(b"\x1f\x8bnot really", headers={"Content-Encoding": "gzip"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


async def stream(_: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d" % number

    return StreamingResponse(parts())


async def elsewhere(_: Request) -> Response:
    return RedirectResponse("/else", status_code=302)


async def chat(socket: WebSocket) -> None:
    await socket.accept(subprotocol="carillon" if "carillon" in socket.scope["subprotocols"] else None)
    await socket.send_text(f"{socket.url.path}?{socket.url.query} {socket.headers.get('authorization')}")
    async for text in socket.iter_text():
        if text == "bye":
            await socket.close(4001)
            return
        await socket.send_bytes(text.encode())


async def endless(request: Request) -> Response:
    async def tell() -> AsyncIterator[bytes]:
        try:
            yield b"data: hello\n\n"
            await asyncio.Event().wait()
        finally:
            LEFT.set()

    return StreamingResponse(tell(), media_type="text/event-stream")


LEFT = asyncio.Event()


async def locked(socket: WebSocket) -> None:
    await socket.send_denial_response(Response(status_code=401))


FUNCTION = Starlette(
    routes=[
        Path("/echo", echo, methods=["GET", "POST", "DELETE"]),
        Path("/raw/{rest:path}", raw_path),
        Path("/cookies", cookies),
        Path("/stream", stream),
        Path("/events", endless),
        Path("/elsewhere", elsewhere),
        Path("/", echo, methods=["POST"]),
        WebSocketRoute("/ws/{user}", chat),
        WebSocketRoute("/locked", locked),
    ]
)


async def serving(app: AsgiApp, stack: AsyncExitStack) -> str:
    server = HttpServer(app, listen(LOOPBACK, free_port()))
    await server.start()
    stack.push_async_callback(server.stop)
    return f"http://{LOOPBACK}:{server.port}"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def client(stack: AsyncExitStack) -> aiohttp.ClientSession:
    return await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))


@pytest.fixture
async def url(stack: AsyncExitStack, client: aiohttp.ClientSession) -> str:
    """The address of a gateway in front of one function that runs and one that does not."""
    there = Backend(await serving(FUNCTION, stack), client, timeout_seconds=10)
    gone = Backend(f"http://{LOOPBACK}:{free_port()}", client, timeout_seconds=10)
    routes = [Route(prefix="/", service="there"), Route(prefix="/gone", service="gone")]
    return await serving(Gateway(routes, {"there": there, "gone": gone}), stack)


async def test_a_request_passes_whole_and_its_answer_too(client: aiohttp.ClientSession, url: str) -> None:
    async with client.post(f"{url}/echo?a=1&b=%20", data=b"x" * 300_000, headers={"X-Asked": "1"}) as response:
        seen = await response.json()

    assert (response.status, response.headers["X-Answer"]) == (202, "yes")
    assert (seen["method"], seen["path"], seen["query"], seen["size"]) == ("POST", "/echo", "a=1&b=%20", 300_000)
    assert seen["headers"]["x-asked"] == "1"
    assert seen["headers"]["x-forwarded-host"] == url.removeprefix("http://")
    assert seen["headers"]["x-forwarded-for"] == LOOPBACK


async def test_a_body_of_unknown_length_passes(client: aiohttp.ClientSession, url: str) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"y" * 1000

    async with client.post(f"{url}/echo", data=parts()) as response:
        seen = await response.json()

    assert seen["size"] == 10_000


async def test_a_request_without_a_body_gets_none_on_the_way(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/echo") as response:
        seen = await response.json()

    assert seen["method"] == "GET"
    assert "transfer-encoding" not in seen["headers"]


async def test_an_escaped_path_stays_escaped(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(URL(f"{url}/raw/a%2fb%41%20c", encoded=True)) as response:
        assert await response.text() == "/raw/a%2fb%41%20c"


async def test_a_function_below_a_path_is_asked_there(stack: AsyncExitStack, client: aiohttp.ClientSession) -> None:
    below = Backend(f"{await serving(FUNCTION, stack)}/raw/function/", client, timeout_seconds=10)
    gateway = await serving(Gateway([Route(prefix="/", service="below")], {"below": below}), stack)

    async with client.get(URL(f"{gateway}/events%2f?a=1", encoded=True)) as response:
        assert await response.text() == "/raw/function/events%2f"


async def test_an_encoded_answer_and_repeated_headers_are_not_touched(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/cookies") as response:
        body = await response.read()

    assert body == b"\x1f\x8bnot really"
    assert [cookie.split(";")[0] for cookie in response.headers.getall("Set-Cookie")] == ["a=1", "b=2"]


async def test_an_answer_that_comes_in_parts_arrives_whole(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/stream") as response:
        assert await response.read() == b"012"


async def test_a_redirect_is_the_clients_to_follow(client: aiohttp.ClientSession, url: str) -> None:
    async with client.get(f"{url}/elsewhere", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/else")


async def test_a_function_that_is_down_is_answered_for_with_try_again(client: aiohttp.ClientSession, url: str) -> None:
    async with client.post(f"{url}/gone", json={}) as response:
        problem = await response.json(content_type="application/problem+json")

    assert (response.status, problem["status"]) == (503, 503)
    assert response.headers["Retry-After"] == "1"


async def test_a_socket_carries_frames_both_ways(client: aiohttp.ClientSession, url: str) -> None:
    headers = {"Authorization": "Bearer abc"}
    async with client.ws_connect(f"{url}/ws/7?since=0", headers=headers, protocols=["carillon"]) as socket:
        hello = await socket.receive_str(timeout=5)
        await socket.send_str("ping")
        answer = await socket.receive_bytes(timeout=5)

    assert hello == "/ws/7?since=0 Bearer abc"
    assert answer == b"ping"
    assert socket.protocol == "carillon"


async def test_a_socket_is_closed_with_the_functions_own_code(client: aiohttp.ClientSession, url: str) -> None:
    async with client.ws_connect(f"{url}/ws/7") as socket:
        await socket.receive_str(timeout=5)
        await socket.send_str("bye")
        last = await socket.receive(timeout=5)

    assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 4001)


async def test_the_function_learns_that_a_client_has_left(stack: AsyncExitStack, client: aiohttp.ClientSession) -> None:
    codes: asyncio.Queue[int] = asyncio.Queue()

    async def waits(socket: WebSocket) -> None:
        await socket.accept()
        codes.put_nowait((await socket.receive())["code"])

    function = await serving(Starlette(routes=[WebSocketRoute("/ws", waits)]), stack)
    backends: dict[str, AsgiApp] = {"one": Backend(function, client)}
    gateway = await serving(Gateway([Route(prefix="/", service="one")], backends), stack)

    async with client.ws_connect(f"{gateway}/ws") as socket:
        await socket.close(code=4002)

    assert await asyncio.wait_for(codes.get(), 5) == 4002


async def test_a_socket_that_the_function_refuses_is_refused_with_its_status(
    client: aiohttp.ClientSession, url: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(f"{url}/locked")

    assert refused.value.status == 401


async def test_a_socket_to_a_function_that_is_down_does_not_open(client: aiohttp.ClientSession, url: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.ws_connect(f"{url}/gone/ws")


async def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with listen(LOOPBACK, free_port()) as taken, pytest.raises(PortTaken, match="is taken") as told:
        listen(LOOPBACK, taken.getsockname()[1])

    assert "\n" not in str(told.value)


# The same server, as a source sees it.


EVENT = b'{"specversion":"1.0","id":"a","source":"test","type":"t","data":{"x":1}}'


async def test_a_source_posts_one_event_a_request_in_binary_mode(stack: AsyncExitStack, url: str) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(request: Request) -> Response:
        seen.append({"id": request.headers["ce-id"], "body": await request.body()})
        return Response(status_code=503 if len(seen) > 1 else 204)

    function = await serving(Starlette(routes=[Path("/", handler, methods=["POST"])]), stack)
    session = await stack.enter_async_context(aiohttp.ClientSession())

    statuses = await HttpTarget(function, session).deliver([EVENT, EVENT.replace(b'"a"', b'"b"')])

    assert sorted(statuses) == [204, 503]
    assert sorted(one["id"] for one in seen) == ["a", "b"]
    assert seen[0]["body"] == b'{"x": 1}'


async def test_a_source_of_this_machine_may_post_several_together(stack: AsyncExitStack) -> None:
    async def handler(request: Request) -> Response:
        assert request.headers["content-type"] == "application/cloudevents-batch+json"
        count = len(await request.json())
        return Response(f"{count}\n{[[place, 204] for place in range(count)]}\n")

    function = await serving(Starlette(routes=[Path("/", handler, methods=["POST"])]), stack)
    session = await stack.enter_async_context(aiohttp.ClientSession())

    assert await HttpTarget(function, session, batch=True).deliver([EVENT, EVENT]) == [204, 204]


async def test_a_function_that_is_not_there_gives_a_source_no_answer() -> None:
    async with aiohttp.ClientSession() as session:
        statuses = await HttpTarget(f"http://{LOOPBACK}:{free_port()}", session).deliver([EVENT])

    assert statuses == [NO_ANSWER]


async def test_a_stream_without_an_end_ends_behind_the_proxy_when_its_client_leaves(
    url: str, client: aiohttp.ClientSession
) -> None:
    LEFT.clear()
    async with client.get(f"{url}/events") as answer:
        first = await answer.content.readline()

    async with asyncio.timeout(10):
        await LEFT.wait()
    assert first == b"data: hello\n"


async def test_a_stream_without_an_end_holds_up_no_server_that_stops(client: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        there = Backend(await serving(FUNCTION, stack), client, timeout_seconds=60)
        front = AsyncExitStack()
        address = await serving(Gateway([Route(prefix="/", service="there")], {"there": there}), front)
        answer = await client.get(f"{address}/events")
        await answer.content.readline()

        async with asyncio.timeout(10):  # half of what the server would wait
            await front.aclose()
            rest = await answer.read()

    assert rest == b"\n"
