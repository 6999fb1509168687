"""What a WebSocket answers to who may not come in, and to every frame that a client may send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from tests.asgi import Socket
from tests.contract.inbox_moods import Mood
from tests.contract.realtime_side import client, realtime

BAD_FRAME, BINARY = 1007, 1003


REFUSALS: dict[str, tuple[str, int, str | None]] = {
    "a cursor that is no number": ("/ws/1?since=abc", 422, "since"),
    "a negative cursor": ("/ws/1?since=-1", 422, "since"),
    "a cursor in other digits": ("/ws/1?since=%D9%A3", 422, "since"),
    "a cursor beyond all": ("/ws/1?since=" + "9" * 19, 422, "since"),
    "an empty cursor": ("/ws/1?since=", 422, "since"),
    "a user that cannot be": ("/ws/%00", 422, "user_id"),
    "a user with a name without end": ("/ws/" + "x" * 129, 422, "user_id"),
}


@pytest.mark.parametrize(("path", "status", "field"), REFUSALS.values(), ids=list(REFUSALS))
async def test_a_socket_that_asks_for_nonsense_is_refused_by_the_name_of_the_field(
    path: str, status: int, field: str | None
) -> None:
    async with realtime() as stage:
        socket = Socket(stage.app, path)
        await socket.ends()

        assert socket.denial is not None
        assert (socket.denial[0], socket.denial[1].get("field")) == (status, field)
        assert stage.inbox.asked == {}


async def test_a_socket_without_a_key_is_refused_where_keys_are_needed() -> None:
    async with realtime(api_keys=SecretStr("default:right")) as stage:
        without, wrong = Socket(stage.app, "/ws/1"), Socket(stage.app, "/ws/1", {"x-api-key": "wrong"})
        await without.ends()
        await wrong.ends()

        assert [socket.denial[0] for socket in (without, wrong) if socket.denial] == [401, 401]


async def test_a_socket_is_asked_to_come_again_when_the_database_is_away() -> None:
    async with realtime(Mood.AWAY) as stage:
        socket = Socket(stage.app, "/ws/1")
        await socket.ends()

        assert socket.denial is not None
        assert (socket.denial[0], stage.listening) == (503, 0)


@dataclass(frozen=True)
class Said:
    """A frame of a client, and what comes of it: the code of the closing, None when it stays open; what was asked."""

    frame: Any
    code: int | None = None
    asked: int = 0


ID = str(uuid4())
FRAMES = {
    "no JSON": Said("{", BAD_FRAME),
    "an empty frame": Said("", BAD_FRAME),
    "an array": Said("[]", BAD_FRAME),
    "a word": Said('"ack"', BAD_FRAME),
    "a number": Said("1", BAD_FRAME),
    "nothing": Said("null", BAD_FRAME),
    "no type": Said({"id": ID}, BAD_FRAME),
    "another type": Said({"type": "read me", "id": ID}, BAD_FRAME),
    "a type that is a list": Said({"type": ["ack"], "id": ID}, BAD_FRAME),
    "an acknowledgement of what?": Said({"type": "ack"}, BAD_FRAME),
    "an id that is none": Said({"type": "ack", "id": "42"}, BAD_FRAME),
    "an id that is a number": Said({"type": "ack", "id": 42}, BAD_FRAME),
    "ids that are a word": Said({"type": "ack", "ids": "all"}, BAD_FRAME),
    "ids that are nothing": Said({"type": "ack", "ids": None}, BAD_FRAME),
    "one id of many that is none": Said({"type": "ack", "ids": [ID, "x"]}, BAD_FRAME),
    "a key twice": Said(f'{{"type": "ack", "id": "{ID}", "id": "{ID}"}}', BAD_FRAME),
    "too deep": Said("[" * 1000, BAD_FRAME),
    "too long": Said({"type": "ack", "ids": [ID] * 500}, BAD_FRAME),
    "half a letter": Said('{"type": "ping", "x": "\\ud800"}', BAD_FRAME),
    "a binary frame": Said(b'{"type": "ping"}', BINARY),
    "an id of nothing": Said({"type": "ack", "id": ID}, None, 1),
    "many ids at once": Said({"type": "ack", "ids": [str(uuid4()) for _ in range(300)]}, None, 1),
    "no ids": Said({"type": "ack", "ids": []}, None, 0),
}


@pytest.mark.parametrize("said", FRAMES.values(), ids=list(FRAMES))
async def test_each_frame_is_taken_or_closes_the_socket_and_moves_no_notification(said: Said) -> None:
    async with realtime() as stage, client(stage) as socket:
        socket.say(said.frame)
        if said.code is None:
            socket.say({"type": "ping"})
            await socket.until(lambda: socket.frames == [{"type": "pong"}])
        else:
            await socket.ends()

        assert (socket.close_code, stage.inbox.asked["note"]) == (said.code, said.asked)
        assert stage.broker.published == []
