"""Server-Sent Events over the inbox: the frames of the sockets, resumed by the id that a browser sends by itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic import SecretStr

from shared.auth.tokens import LEEWAY_SECONDS
from tests.asgi import call
from tests.contract.inbox_moods import Mood
from tests.contract.realtime_side import OFTEN_SECONDS, Stage, client, realtime
from tests.signers import SECRET, signed


class Reader:
    """A client of a stream, without a server. It takes what is sent unless it is told to hold."""

    def __init__(self, app: Any, path: str, headers: dict[str, str]) -> None:
        self.headers: dict[str, str] = {}
        self.status, self.body, self.is_over = 0, b"", False
        self.takes, self._changed, self._left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.takes.set()
        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "root_path": "",
            "path": unquote(raw_path), "raw_path": raw_path.encode(), "query_string": query.encode(), "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
        }  # fmt: skip
        self.serving = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            await self.takes.wait()
            self.body += message.get("body", b"")
            self.is_over = not message.get("more_body", False)
        self._changed.set()

    @property
    def events(self) -> list[tuple[str, str, Any]]:
        """Read the events so far: id, name, document."""
        blocks = [
            dict(line.split(": ", 1) for line in block.split("\n"))
            for block in self.body.decode().split("\n\n")
            if block
        ]
        return [(one.get("id", ""), one["event"], json.loads(one["data"])) for one in blocks if "event" in one]

    def named(self, name: str) -> list[Any]:
        """Read the documents of one kind."""
        return [document for _, kind, document in self.events if kind == name]

    def leave(self) -> None:
        """Go away."""
        self._left.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something has come."""
        async with asyncio.timeout(10):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    async def ends(self) -> None:
        """Wait until the app has done with it."""
        async with asyncio.timeout(10):
            await self.serving


@asynccontextmanager
async def reader(stage: Stage, path: str = "/sse/1?since=0", **headers: str) -> AsyncIterator[Reader]:
    opened = Reader(stage.app, path, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        yield opened
    finally:
        opened.takes.set()
        opened.leave()
        await opened.ends()


def streaming(stage: Stage) -> int:
    return int(stage.resources.metrics.event_streams._value.get())


async def test_a_stream_tells_what_there_is_and_what_comes() -> None:
    async with realtime() as stage:
        await stage.keep(2)
        async with reader(stage) as stream:
            await stream.until(lambda: len(stream.named("unread_count")) == 1)
            await stage.keep(1, message="new\nline\r\n\nid: 7")
            stage.hint()
            await stream.until(lambda: len(stream.named("unread_count")) == 2)

        kinds = [(key, kind) for key, kind, _ in stream.events]
        assert kinds == [
            ("1.0", "notification"), ("2.0", "notification"), ("2.0", "unread_count"),
            ("3.0", "notification"), ("3.0", "unread_count"),
        ]  # fmt: skip
        assert stream.named("notification")[2]["message"] == "new\nline\r\n\nid: 7"
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert "content-length" not in stream.headers
        assert stream.body.startswith(b"retry: ")


async def test_a_browser_that_comes_back_gets_what_it_missed_of_messages_and_of_marks() -> None:
    async with realtime() as stage:
        keys = await stage.keep(2)
        async with reader(stage) as stream:
            await stream.until(lambda: len(stream.events) == 3)
        await stage.keep(1)
        await stage.elsewhere("read", keys[0])
        async with reader(stage, last_event_id=stream.events[-1][0]) as back:
            await back.until(lambda: len(back.events) == 3)

        assert [document["cursor"] for document in back.named("notification")] == [3]
        assert [document["read"] for document in back.named("marks")] == [[str(keys[0])]]
        assert back.events[-1][0] == "3.1"


async def test_a_cursor_alone_is_an_id_too() -> None:
    async with realtime() as stage:
        await stage.keep(2)
        async with reader(stage, last_event_id="1") as stream:
            await stream.until(lambda: len(stream.events) == 2)

        assert [document["cursor"] for document in stream.named("notification")] == [2]


@pytest.mark.parametrize(
    ("path", "headers", "field"),
    [
        ("/sse/1?since=x", {}, "since"),
        ("/sse/1?change=-1", {}, "change"),
        ("/sse/1", {"last-event-id": "last"}, "Last-Event-ID"),
        ("/sse/%00", {}, "user_id"),
    ],
)
async def test_a_stream_that_asks_for_nonsense_is_refused_by_the_name_of_the_field(
    path: str, headers: dict[str, str], field: str
) -> None:
    async with realtime() as stage:
        answer = await call(stage.app, "GET", path, headers=headers)

    assert (answer.status, answer.document["field"]) == (422, field)


async def test_a_token_may_stand_in_the_address_of_a_stream_and_a_key_never() -> None:
    settings: dict[str, Any] = {"api_keys": SecretStr("acme:root-key"), "jwt_secret": SecretStr(SECRET)}
    async with realtime(**settings) as stage:
        statuses = [
            (await call(stage.app, "GET", f"/sse/7?token={token}")).status
            for token in (signed(sub="7"), signed(sub="8"), "root-key", "")
        ]
        with_key = await call(stage.app, "GET", "/sse/7", headers={"x-api-key": "root-key"})

    assert (statuses, with_key.status) == ([200, 403, 401, 401], 200)


async def test_a_stream_ends_with_its_token_and_says_so() -> None:
    settings: dict[str, Any] = {"api_keys": SecretStr("acme:root-key"), "jwt_secret": SecretStr(SECRET)}
    async with (
        realtime(**settings) as stage,
        reader(stage, f"/sse/7?token={signed(sub='7', exp=int(time.time()) - LEEWAY_SECONDS + 2)}") as stream,
    ):
        await stream.ends()

        assert (stream.named("end"), stream.is_over) == ([{"type": "end", "code": 4401}], True)


async def test_when_the_process_ends_every_stream_is_told_to_go_elsewhere() -> None:
    async with realtime() as stage, reader(stage) as stream:
        await stream.until(lambda: len(stream.events) == 1)
        await stage.app.dismiss()
        await stream.ends()

        assert (stream.named("end"), stream.is_over, streaming(stage)) == ([{"type": "end", "code": 1001}], True, 0)


async def test_a_stream_with_nothing_to_tell_says_that_it_lives() -> None:
    async with realtime(heartbeat_seconds=OFTEN_SECONDS) as stage, reader(stage) as stream:
        await stream.until(lambda: stream.body.count(b": still here\n\n") >= 2)

        assert [kind for _, kind, _ in stream.events] == ["unread_count"]


async def test_a_reader_that_takes_nothing_is_dropped_and_resumes_where_it_was() -> None:
    async with realtime(send_seconds=OFTEN_SECONDS) as stage, reader(stage) as slow:
        await slow.until(lambda: len(slow.events) == 1)
        slow.takes.clear()
        await stage.keep(3)
        stage.hint()
        await slow.ends()
        async with reader(stage, last_event_id=slow.events[-1][0]) as back:
            await back.until(lambda: len(back.named("notification")) == 3)

        assert (streaming(stage), slow.named("notification")) == (0, [])


async def test_who_leaves_is_forgotten() -> None:
    async with realtime() as stage:
        async with reader(stage) as stream:
            await stream.until(lambda: len(stream.events) == 1)
            assert streaming(stage) == 1

        assert streaming(stage) == 0


async def test_a_stream_is_asked_to_come_again_when_the_database_is_away() -> None:
    async with realtime(Mood.AWAY) as stage:
        answer = await call(stage.app, "GET", "/sse/1")

    assert (answer.status, "retry-after" in answer.headers) == (503, True)


async def test_what_is_marked_over_a_socket_is_told_in_a_stream() -> None:
    async with realtime() as stage:
        (key,) = await stage.keep()
        async with reader(stage) as stream, client(stage) as socket:
            await stream.until(lambda: len(stream.named("unread_count")) == 1)
            socket.say({"type": "archive", "id": str(key)})
            await stream.until(lambda: len(stream.named("unread_count")) == 2)

        assert [document["count"] for document in stream.named("unread_count")] == [1, 0]
        assert [document["archived"] for document in stream.named("marks")] == [[str(key)]]
