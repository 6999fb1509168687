"""What a WebSocket brings, in every mood of the inbox behind it and at any speed of its reader."""

from __future__ import annotations

import json

import pytest

from shared.broker.topology import RESULTS
from tests.asgi import Socket
from tests.contract.inbox_moods import Mood
from tests.contract.realtime_side import OFTEN_SECONDS, client, realtime
from tests.contract.stage import TENANT, USER

AWAY, LOST, WELL = Mood.AWAY, Mood.LOST, Mood.WELL
SLOW_READER, GOING_AWAY = 1013, 1001


async def test_an_acknowledgement_is_noted_and_announced_once_however_often_it_comes() -> None:
    async with realtime() as stage:
        key = await stage.send()
        async with client(stage) as one, client(stage) as other:
            for socket in (one, other, one):
                socket.say({"type": "ack", "ids": [str(key), str(key)]})
                socket.say({"type": "ping"})
                await socket.until(lambda socket=socket: socket.frames[-1:] == [{"type": "pong"}])  # type: ignore[misc]

        assert [message.queue for message in stage.broker.published] == [RESULTS]
        assert len(stage.store.memory.receipts.rows) == 1


async def test_nobody_acknowledges_what_is_another_persons() -> None:
    async with realtime() as stage:
        key = await stage.send()
        async with client(stage, "/ws/2") as socket:
            socket.say({"type": "ack", "id": str(key)})
            socket.say({"type": "ping"})
            await socket.until(lambda: len(socket.frames) == 1)

        assert (stage.broker.published, stage.store.memory.receipts.rows) == ([], {})


async def test_an_acknowledgement_counts_even_if_the_broker_takes_nothing() -> None:
    async with realtime() as stage:
        stage.broker.refuses = True
        key = await stage.send()
        async with client(stage) as socket:
            socket.say({"type": "ack", "id": str(key)})
            socket.say({"type": "ping"})
            await socket.until(lambda: {"type": "pong"} in socket.frames)

        assert len(stage.store.memory.receipts.rows) == 1


@pytest.mark.parametrize(("mood", "receipts"), [(AWAY, 0), (LOST, 1)])
async def test_an_acknowledgement_that_may_be_lost_sends_the_client_away_to_resume(mood: Mood, receipts: int) -> None:
    async with realtime() as stage:
        key = await stage.send()
        async with client(stage) as socket:
            await socket.until(lambda: len(socket.frames) == 1)
            stage.inbox.moods = [mood]
            socket.say({"type": "ack", "id": str(key)})
            await socket.ends()

        assert socket.close_code == SLOW_READER
        assert len(stage.store.memory.receipts.rows) == receipts


async def test_who_asks_for_everything_gets_it_in_order_and_page_by_page() -> None:
    async with realtime() as stage:
        await stage.keep(250)
        async with client(stage) as socket:
            await socket.until(lambda: len(socket.frames) == 250)

        assert [frame["cursor"] for frame in socket.frames] == list(range(1, 251))
        assert {frame["type"] for frame in socket.frames} == {"notification"}


async def test_who_resumes_gets_what_came_after_the_cursor() -> None:
    async with realtime() as stage:
        keys = await stage.keep(5)
        async with client(stage, "/ws/1?since=3") as socket:
            await socket.until(lambda: len(socket.frames) == 2)

        assert [frame["cursor"] for frame in socket.frames] == [4, 5]
        assert {frame["id"] for frame in socket.frames} < {str(key) for key in keys}


async def test_who_resumes_from_beyond_the_end_waits_for_what_comes() -> None:
    async with realtime() as stage:
        await stage.keep(1)
        async with client(stage, "/ws/1?since=1") as socket:
            await stage.keep(1)
            stage.hint()
            await socket.until(lambda: len(socket.frames) == 1)

        assert [frame["cursor"] for frame in socket.frames] == [2]


async def test_who_names_no_cursor_gets_only_what_is_new() -> None:
    async with realtime() as stage:
        await stage.keep(3)
        async with client(stage, "/ws/1") as socket:
            await stage.keep(1, message="new")
            stage.hint()
            await socket.until(lambda: len(socket.frames) == 1)

        assert [frame["message"] for frame in socket.frames] == ["new"]


async def test_a_message_as_long_as_an_event_may_be_arrives_whole() -> None:
    async with realtime() as stage:
        await stage.keep(message="x" * 250_000)
        async with client(stage) as socket:
            await socket.until(lambda: len(socket.frames) == 1)

        assert len(socket.frames[0]["message"]) == 250_000


async def test_a_lost_hint_costs_a_look_and_no_message() -> None:
    async with realtime(look_seconds=OFTEN_SECONDS) as stage, client(stage) as socket:
        await stage.keep()

        await socket.until(lambda: len(socket.frames) == 1)


async def test_a_person_whom_nobody_knows_may_listen() -> None:
    async with realtime() as stage, client(stage, "/ws/nobody") as socket:
        await stage.keep(user="nobody")
        stage.hint(json.dumps({"tenant": TENANT, "user_id": "nobody"}).encode())

        await socket.until(lambda: len(socket.frames) == 1)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"tenant": 1}', b"\xff"])
async def test_a_hint_that_is_none_harms_nobody(body: bytes) -> None:
    async with realtime() as stage, client(stage) as socket:
        stage.hint(body)
        await stage.keep()
        stage.hint()

        await socket.until(lambda: len(socket.frames) == 1)


async def test_a_hint_for_another_person_or_tenant_brings_no_look() -> None:
    async with realtime() as stage, client(stage) as socket:
        socket.say({"type": "ping"})
        await socket.until(lambda: len(socket.frames) == 1)
        looked = stage.inbox.asked["news"]
        stage.hint(json.dumps({"tenant": TENANT, "user_id": "2"}).encode())
        stage.hint(json.dumps({"tenant": "other", "user_id": USER}).encode())
        socket.say({"type": "ping"})
        await socket.until(lambda: len(socket.frames) == 2)

        assert stage.inbox.asked["news"] == looked


async def test_everybody_of_one_person_gets_the_message() -> None:
    async with realtime() as stage, client(stage) as one, client(stage) as other:
        await stage.keep()
        stage.hint()

        await one.until(lambda: len(one.frames) == 1)
        await other.until(lambda: len(other.frames) == 1)
        assert one.frames == other.frames


async def test_a_database_that_is_away_is_looked_at_again_and_the_socket_stays() -> None:
    async with realtime(AWAY, AWAY, WELL, look_seconds=OFTEN_SECONDS) as stage:
        await stage.keep()
        async with client(stage) as socket:
            await socket.until(lambda: len(socket.frames) == 1)

        assert stage.inbox.asked["news"] >= 2


async def test_a_reader_that_is_too_slow_is_sent_away_and_resumes_where_it_was() -> None:
    async with realtime(send_seconds=OFTEN_SECONDS) as stage:
        await stage.keep(3)
        slow = Socket(stage.app, "/ws/1?since=0")
        await slow.until(lambda: len(slow.frames) == 3)
        await stage.keep(2)
        slow.takes.clear()
        stage.hint()
        await slow.ends()
        async with client(stage, f"/ws/1?since={slow.frames[-1]['cursor']}") as resumed:
            await resumed.until(lambda: len(resumed.frames) == 2)

        assert (slow.close_code, stage.listening) == (SLOW_READER, 0)
        assert [frame["cursor"] for frame in slow.frames + resumed.frames] == [1, 2, 3, 4, 5]


async def test_a_slow_reader_holds_up_nobody_else() -> None:
    async with realtime() as stage, client(stage) as slow, client(stage) as quick:
        slow.takes.clear()
        await stage.keep(2)
        stage.hint()

        await quick.until(lambda: len(quick.frames) == 2)
        assert slow.frames == []


async def test_a_client_that_does_not_take_its_pong_is_sent_away() -> None:
    async with realtime(send_seconds=OFTEN_SECONDS) as stage, client(stage) as socket:
        socket.takes.clear()
        socket.say({"type": "ping"})
        await socket.ends()

        assert socket.close_code == SLOW_READER


async def test_when_the_process_ends_every_socket_is_told_to_go_elsewhere() -> None:
    async with realtime() as stage:
        sockets = [Socket(stage.app, f"/ws/{number}") for number in range(3)]
        for socket in sockets:
            await socket.is_open()
        await stage.app.dismiss()
        late = Socket(stage.app, "/ws/late")
        for socket in (*sockets, late):
            await socket.ends()
        await stage.app.drain()
        later = Socket(stage.app, "/ws/later")
        await later.ends()

        assert later.denial is not None
        assert later.denial[0] == 503
        assert [socket.close_code for socket in (*sockets, late)] == [GOING_AWAY] * 4
        assert (stage.listening, stage.broker.on_hint) == (0, None)


async def test_who_leaves_is_forgotten() -> None:
    async with realtime() as stage:
        async with client(stage):
            assert stage.listening == 1

        assert stage.listening == 0
