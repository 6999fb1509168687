"""Marks over a WebSocket: what is done on one screen is seen on every other one, and known to the saga."""

from __future__ import annotations

from uuid import UUID, uuid4

from shared.broker.topology import RESULTS
from shared.saga import Receipt
from tests.asgi import Socket
from tests.contract.inbox_moods import Mood
from tests.contract.listening import eventually
from tests.contract.realtime_side import OFTEN_SECONDS, Stage, client, realtime

SLOW_READER = 1013


def marks(socket: Socket) -> list[dict[str, object]]:
    return [frame for frame in socket.frames if frame["type"] == "marks"]


async def marked(socket: Socket, kind: str, *keys: UUID) -> None:
    """Mark, and wait until the socket itself is told."""
    await socket.until(lambda: bool(socket.counts))
    before = len(marks(socket))
    socket.say({"type": kind, "ids": [str(key) for key in keys]})
    await socket.until(lambda: len(marks(socket)) > before)


def receipts(stage: Stage) -> list[Receipt]:
    return sorted(row.said.receipt for row in stage.store.memory.receipts.rows.values())


async def test_the_count_of_what_is_unread_comes_at_the_start_and_whenever_it_changes() -> None:
    async with realtime() as stage:
        keys = await stage.keep(3)
        async with client(stage) as socket:
            await socket.until(lambda: socket.counts == [3])
            await marked(socket, "read", keys[0])
            await stage.keep(2)
            stage.hint()
            await socket.until(lambda: len(socket.counts) == 3)

        assert socket.counts == [3, 2, 4]
        assert {frame["type"] for frame in socket.told[:3]} == {"notification"}


async def test_who_names_no_cursor_is_told_where_it_begins() -> None:
    async with realtime() as stage:
        keys = await stage.keep(3)
        async with client(stage) as socket:
            await marked(socket, "archive", keys[0])
        async with client(stage, "/ws/1") as late:
            await late.until(lambda: len(late.told) == 1)

        assert late.told == [{"type": "unread_count", "count": 2, "cursor": 3, "change": 1}]


async def test_what_is_marked_on_one_screen_is_told_on_every_other_one() -> None:
    async with realtime() as stage:
        one, two = sorted(await stage.keep(2))
        async with client(stage, "/ws/1") as here, client(stage, "/ws/1") as there, client(stage, "/ws/2") as stranger:
            await marked(here, "read", one, two)
            await marked(here, "unread", two)
            await marked(here, "archive", one)
            await marked(here, "unarchive", one)
            await there.until(lambda: bool(marks(there)) and marks(there)[-1]["change"] == 5)
            stranger.say({"type": "ping"})
            await stranger.until(lambda: len(stranger.frames) == 1)

        nothing: dict[str, list[str]] = {"read": [], "unread": [], "archived": [], "removed": []}
        assert marks(here) == [
            {"type": "marks", "change": 2, **nothing, "read": [str(one), str(two)]},
            {"type": "marks", "change": 3, **nothing, "unread": [str(two)]},
            {"type": "marks", "change": 4, **nothing, "read": [str(one)], "archived": [str(one)]},
            {"type": "marks", "change": 5, **nothing, "read": [str(one)]},
        ]
        assert stranger.frames == [{"type": "pong"}]


async def test_who_was_away_is_told_what_was_marked_elsewhere_meanwhile() -> None:
    async with realtime() as stage:
        keys = await stage.keep(2)
        async with client(stage) as socket:
            await marked(socket, "read", keys[0])
            await marked(socket, "read", keys[1])
        async with client(stage, "/ws/1?since=2&change=1") as back:
            await back.until(lambda: len(back.counts) == 1)

        assert [frame["read"] for frame in back.frames] == [[str(keys[1])]]


async def test_an_item_that_is_told_late_says_how_it_is_marked() -> None:
    async with realtime() as stage:
        keys = await stage.keep(1)
        async with client(stage) as socket:
            await marked(socket, "read", keys[0])
        async with client(stage, "/ws/1?since=0") as late:
            await late.until(lambda: len(late.frames) == 1)

        assert (socket.frames[0]["read_at"], late.frames[0]["archived_at"]) == (None, None)
        assert late.frames[0]["read_at"] is not None


async def test_what_was_read_is_known_to_the_saga_and_what_is_archived_alone_is_not() -> None:
    async with realtime() as stage:
        key = await stage.send()
        async with client(stage) as socket:
            await marked(socket, "archive", key)
            before = receipts(stage)
            await marked(socket, "read", key)

        assert (before, receipts(stage)) == ([], [Receipt.READ])
        assert [message.queue for message in stage.broker.published] == [RESULTS]


async def test_nobody_marks_what_is_another_persons() -> None:
    async with realtime() as stage:
        key = await stage.send()
        async with client(stage, "/ws/2") as socket:
            for kind in ("read", "archive"):
                socket.say({"type": kind, "id": str(key)})
            socket.say({"type": "ping"})
            await socket.until(lambda: len(socket.frames) == 1)

        assert (stage.broker.published, receipts(stage)) == ([], [])
        assert all(row.is_unread for row in stage.store.memory.inbox.rows.values())


async def test_a_mark_that_may_be_lost_sends_the_client_away_to_say_it_again() -> None:
    async with realtime() as stage:
        (key,) = await stage.keep()
        async with client(stage) as socket:
            await socket.until(lambda: len(socket.frames) == 1)
            stage.inbox.moods = [Mood.AWAY]
            socket.say({"type": "archive", "id": str(key)})
            await socket.ends()

        assert socket.close_code == SLOW_READER


async def test_a_lost_hint_about_a_mark_costs_a_look_and_no_mark() -> None:
    async with realtime(look_seconds=OFTEN_SECONDS) as stage:
        (key,) = await stage.keep()
        async with client(stage) as socket:
            await socket.until(lambda: socket.counts == [1])
            await stage.elsewhere("read", key)
            await socket.until(lambda: len(socket.counts) == 2)

        assert (socket.counts, [frame["read"] for frame in marks(socket)]) == ([1, 0], [[str(key)]])


async def test_what_is_taken_back_disappears_from_the_screen() -> None:
    async with realtime(look_seconds=OFTEN_SECONDS) as stage:
        (key,) = await stage.keep()
        async with client(stage) as socket:
            await socket.until(lambda: socket.counts == [1])
            async with stage.store.sagas.transaction() as sagas:
                await sagas.retract([key])
            await socket.until(lambda: len(socket.counts) == 2)

        assert (socket.counts, [frame["removed"] for frame in marks(socket)]) == ([1, 0], [[str(key)]])


async def test_a_page_can_be_asked_for_over_the_socket() -> None:
    async with realtime() as stage:
        keys = await stage.keep(3)
        async with client(stage, "/ws/1") as socket:
            socket.say({"type": "list", "limit": 2})
            await socket.until(lambda: len(socket.frames) == 1)
            socket.say({"type": "list", "cursor": socket.frames[0]["next_cursor"], "status": "unread"})
            await socket.until(lambda: len(socket.frames) == 2)

        first, second = socket.frames
        assert [one["cursor"] for one in first["items"] + second["items"]] == [3, 2, 1]
        assert {one["id"] for one in first["items"] + second["items"]} == {str(key) for key in keys}
        assert (first["status"], first["unread"], first["since"], first["change"]) == ("all", 3, 3, 0)
        assert (second["status"], second["next_cursor"]) == ("unread", None)


async def test_marks_of_nothing_change_nothing() -> None:
    async with realtime() as stage, client(stage) as socket:
        socket.say({"type": "read", "ids": []})
        socket.say({"type": "unread", "id": str(uuid4())})
        socket.say({"type": "ping"})
        await socket.until(lambda: len(socket.told) == 2)

        assert (socket.frames, socket.counts) == ([{"type": "pong"}], [0])


async def test_one_statement_looks_for_everybody_who_has_missed_something() -> None:
    async with realtime(look_seconds=OFTEN_SECONDS) as stage:
        sockets = [Socket(stage.app, f"/ws/{number}?since=0") for number in range(50)]
        for socket in sockets:
            await socket.until(lambda socket=socket: socket.counts == [0])  # type: ignore[misc]
        await until_watched(stage)  # who was still at its first look meanwhile was woken, and looks again
        looked = stage.inbox.asked["news"]
        await until_watched(stage)

        assert stage.inbox.asked["news"] == looked
        for socket in sockets:
            socket.leave()
            await socket.ends()


async def until_watched(stage: Stage) -> None:
    """Wait until the watch has looked three times."""
    watched = stage.inbox.asked["behind"]
    await eventually(lambda: stage.inbox.asked["behind"] >= watched + 3)
