"""A small reverse proxy: the backend of a gateway whose functions run in processes of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from yarl import URL

from infrastructure.local.gateway import refuse, unavailable

log = logging.getLogger("carillon.local.proxy")

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""What concerns one connection only (RFC 9110, 7.6.1), beside what the Connection header itself names."""

OURS = frozenset({b"host", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-for"})
NEVER_SENT_AS_CODES = frozenset({1004, 1005, 1006, 1015})
GOING_AWAY, SERVICE_RESTART = 1001, 1012
CONNECT_SECONDS = 5.0
EVENT_STREAM = b"text/event-stream"
NO_ANSWER = "The function behind this address does not answer."
MAX_FRAME_BYTES = 1_048_576

Headers = list[tuple[bytes, bytes]]


class Backend:
    """One function behind a URL, as an ASGI application. A path of the URL goes before each request's own."""

    def __init__(self, url: str, session: ClientSession, *, timeout_seconds: float = 120.0) -> None:
        self._base = f"{URL(url).origin()}{URL(url).raw_path.rstrip('/')}"
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=CONNECT_SECONDS)
        self._dismissed = asyncio.Event()

    async def dismiss(self) -> None:
        """End the streams that would not end by themselves."""
        self._dismissed.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request, or one WebSocket, on."""
        handler = self._websocket if scope["type"] == "websocket" else self._http
        await handler(scope, receive, send)

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            response = await self._session.request(
                scope["method"],
                self._target(scope),
                headers=_decoded(request_headers(scope)),
                data=_body(receive) if _has_body(scope) else None,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as failure:  # a timeout is an OSError
            log.warning("a function did not answer", extra={"error": type(failure).__name__})
            await refuse(scope, receive, send, unavailable(NO_ANSWER))
            return
        async with response:
            headers = end_to_end(list(response.raw_headers))
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            if dict(headers).get(b"content-type", b"").startswith(EVENT_STREAM):
                await self._carry_stream(response, receive, send)
            else:
                await _carry(response, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _carry_stream(self, response: aiohttp.ClientResponse, receive: Any, send: Any) -> None:
        """Carry what has no end of its own until one side leaves, or this process does."""
        works = _carry(response, send), _until_gone(receive), self._dismissed.wait()
        tasks = [asyncio.ensure_future(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [pair for pair in request_headers(scope) if not pair[0].startswith(b"sec-websocket-")]
        try:
            backend = await self._session.ws_connect(
                self._target(scope),
                headers=_decoded(headers),
                protocols=scope.get("subprotocols", ()),
                timeout=aiohttp.ClientWSTimeout(ws_close=CONNECT_SECONDS),
                max_msg_size=MAX_FRAME_BYTES,
            )
        except aiohttp.WSServerHandshakeError as refused:
            await _deny(scope, receive, send, refused.status)
            return
        except (aiohttp.ClientError, OSError):
            await refuse(scope, receive, send, unavailable(NO_ANSWER))
            return
        async with backend:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept", "subprotocol": backend.protocol})
            await _pump(backend, receive, send)

    def _target(self, scope: Any) -> URL:
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        query = scope.get("query_string", b"").decode("latin-1")
        return URL(f"{self._base}{path}{'?' if query else ''}{query}", encoded=True)


def request_headers(scope: Any) -> Headers:
    """Return what the function gets to see: the client's headers, and where they came from."""
    sent: Headers = list(scope["headers"])
    seen = dict(sent)
    client = (scope.get("client") or ("unknown", 0))[0].encode()
    hops = [value for name, value in sent if name == b"x-forwarded-for"]
    names = [value for name, value in sent if name == b"x-forwarded-host"]
    secure = scope["scheme"] in {"https", "wss"}
    return [
        *[(name, value) for name, value in end_to_end(sent) if name not in OURS],
        (b"x-forwarded-for", b", ".join([*hops, client])),
        (b"x-forwarded-proto", seen.get(b"x-forwarded-proto", b"https" if secure else b"http")),
        (b"x-forwarded-host", b", ".join([*names, seen.get(b"host", b"")])),  # all: anybody can send one of them
    ]


def end_to_end(headers: Headers) -> Headers:
    """Leave out what concerns one connection only."""
    lowered = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in lowered if name == b"connection" for token in value.split(b",")}
    return [pair for pair in lowered if pair[0] not in HOP_BY_HOP and pair[0] not in named]


def _decoded(headers: Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _has_body(scope: Any) -> bool:
    names = dict(scope["headers"])
    return b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"


async def _body(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the client left")
        if message.get("body"):
            yield message["body"]
        more = message.get("more_body", False)


async def _carry(response: aiohttp.ClientResponse, send: Any) -> None:
    async for chunk in response.content.iter_any():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _deny(scope: Any, receive: Any, send: Any, status: int) -> None:
    """Refuse a WebSocket with the function's own status, where the server can say it."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _pump(backend: ClientWebSocketResponse, receive: Any, send: Any) -> None:
    """Carry frames both ways until one side closes; then close the other with the same code."""
    up = asyncio.create_task(_to_backend(backend, receive))
    down = asyncio.create_task(_to_client(backend, send))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _to_backend(backend: ClientWebSocketResponse, receive: Any) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("bytes") is not None:
            await backend.send_bytes(message["bytes"])
        else:
            await backend.send_str(message["text"])
    code = message.get("code", GOING_AWAY)
    await backend.close(code=GOING_AWAY if code in NEVER_SENT_AS_CODES else code)


async def _to_client(backend: ClientWebSocketResponse, send: Any) -> None:
    async for message in backend:
        if message.type is WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
    code = backend.close_code
    lost = code is None or code in NEVER_SENT_AS_CODES
    await send({"type": "websocket.close", "code": SERVICE_RESTART if lost else code})
