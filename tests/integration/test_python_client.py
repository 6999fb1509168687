"""The Python client, against the real intake over a real Postgres, behind a door that misbehaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from infrastructure.client import (
    Accepted,
    Carillon,
    Event,
    Problem,
    RequestRefused,
    ServiceUnavailable,
    StillUnderWay,
)
from infrastructure.client.patience import Patience
from shared import serve
from shared.serve import App
from tests.asgi import call
from tests.world import TENANT, World

EVENT = Event(event_type="order_shipped", user_id=1, data={"message": "hello", "preferred_channel": "email"})
KEY = "a-client's-key"
Misdeed = Callable[["Door", web.Request], Awaitable[web.Response | None]]


@dataclass
class Door:
    """A server before an app. Each request meets the next misdeed; when none is left, the app alone."""

    app: App
    misdeeds: list[Misdeed] = field(default_factory=list)
    seen: list[web.Request] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        misdeed = self.misdeeds.pop(0) if self.misdeeds else None
        return (misdeed and await misdeed(self, request)) or await self.pass_on(request)

    async def pass_on(self, request: web.Request) -> web.Response:
        answer = await call(self.app, request.method, request.path_qs, await request.read(), dict(request.headers))
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def refusing(status: int, **headers: str) -> Misdeed:
    async def refuse(door: Door, request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({"title": "Busy", "status": status}, status=status, headers=named)

    return refuse


async def cut_before(door: Door, request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()


async def cut_after_the_commit(door: Door, request: web.Request) -> None:
    await door.pass_on(request)
    assert request.transport is not None
    request.transport.abort()


async def a_page(door: Door, request: web.Request) -> web.Response:
    return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")


async def a_redirect(door: Door, request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": f"{door.url}/elsewhere"})


async def no_json(door: Door, request: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome</html>", content_type="text/html")


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Door]:
    door = Door(serve.build("ingest", world.resources))
    server = web.Application()
    server.router.add_route("*", "/{rest:.*}", door.answer)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield door
    await runner.cleanup()
    await door.app.drain()


@pytest.fixture
async def door(world: World) -> AsyncIterator[Door]:
    async with opened(world) as found:
        yield found


class Waits:
    """What a client would have waited for, without waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def carillon(door: Door, waits: Waits) -> AsyncIterator[Carillon]:
    async with Carillon(door.url, key=KEY, patience=Patience(pause=waits.pause, jitter=lambda: 0.0)) as client:
        yield client


async def test_what_is_sent_is_kept_and_can_be_asked_for(world: World, carillon: Carillon) -> None:
    accepted = await carillon.send(EVENT)

    found = await carillon.status(accepted.id)

    assert accepted.status == "pending"
    assert (found.id, found.status, found.user_id, found.has_ended) == (accepted.id, "pending", "1", False)
    assert found.document["timeline"][0]["what"] == "accepted"
    assert await world.store.views.counts(TENANT) == {"pending": 1}


@pytest.mark.parametrize(
    "misdeeds",
    [
        [refusing(503, Retry_After="1")],
        [refusing(429, Retry_After="1"), refusing(503)],
        [cut_before],
        [cut_after_the_commit],
        [cut_after_the_commit, refusing(503), cut_after_the_commit],
        [a_page],
    ],
)
async def test_an_event_is_kept_once_however_often_it_had_to_be_sent(
    world: World, door: Door, carillon: Carillon, misdeeds: list[Misdeed]
) -> None:
    door.misdeeds += misdeeds

    accepted = await carillon.send(EVENT)

    assert len(door.seen) == len(misdeeds) + 1
    assert len({request.headers["Idempotency-Key"] for request in door.seen}) == 1
    assert await world.store.views.counts(TENANT) == {"pending": 1}
    assert (await carillon.status(accepted.id)).id == accepted.id


async def test_two_calls_are_two_notifications_unless_they_have_one_key(world: World, carillon: Carillon) -> None:
    first, second = await carillon.send(EVENT), await carillon.send(EVENT)
    third, fourth = [await carillon.send(EVENT, idempotency_key="order-42") for _ in range(2)]

    assert len({first.id, second.id, third.id}) == 3
    assert third.id == fourth.id


async def test_it_waits_as_long_as_it_is_asked_to_and_longer_each_time_else(
    door: Door, carillon: Carillon, waits: Waits
) -> None:
    door.misdeeds += [refusing(503, Retry_After="7"), refusing(503), refusing(503), cut_before]

    await carillon.send(EVENT)

    assert waits.seconds == [7.0, 0.4, 0.8, 1.6]


async def test_what_is_refused_is_not_sent_again_and_names_the_field(door: Door, carillon: Carillon) -> None:
    with pytest.raises(RequestRefused) as refused:
        await carillon.send(Event(event_type="order_shipped", user_id=1, data={}))

    assert (refused.value.problem.status, refused.value.problem.field) == (422, "data.message")
    assert refused.value.problem.errors == (("data.message", "It is required."),)
    assert len(door.seen) == 1


async def test_of_several_each_is_answered_for_itself_and_kept_once(
    world: World, door: Door, carillon: Carillon
) -> None:
    door.misdeeds += [cut_after_the_commit]
    wrong = Event(event_type="order_shipped", user_id=1, data={})

    first, refused, last = await carillon.send_all([EVENT, wrong, EVENT])

    assert isinstance(first, Accepted)
    assert isinstance(last, Accepted)
    assert first.id != last.id
    assert isinstance(refused, Problem)
    assert (refused.status, refused.field) == (422, "data.message")
    assert await world.store.views.counts(TENANT) == {"pending": 2}


async def test_patience_has_an_end(door: Door) -> None:
    door.misdeeds += [refusing(503)] * 1000

    async with Carillon(door.url, patience=Patience(seconds=0.05)) as client:
        with pytest.raises(ServiceUnavailable, match=r"POST /events.*503 Busy"):
            await client.send(EVENT)


async def test_waiting_for_a_notification_ends_with_it_or_with_the_time(
    world: World, door: Door, carillon: Carillon
) -> None:
    accepted = await carillon.send(EVENT)

    with pytest.raises(StillUnderWay):
        await carillon.wait_for(accepted.id, timeout_seconds=0.0)
    pending = await carillon.wait_for(accepted.id, status="pending")
    await door.app.drain()
    await world.deliver_everything()
    ended = await carillon.wait_for(accepted.id)

    assert (pending.status, ended.status) == ("pending", "sent")
    assert [(one.channel, one.status) for one in ended.deliveries] == [("email", "sent")]


async def test_a_notification_that_is_not_there_is_refused_as_404(carillon: Carillon) -> None:
    with pytest.raises(RequestRefused) as refused:
        await carillon.status("../users/1")

    assert refused.value.problem.status == 404


def test_jitter_only_adds() -> None:
    calm, jumpy = Patience(jitter=lambda: 0.0), Patience(jitter=lambda: 1.0)

    assert [calm.wait_seconds(1, asked) for asked in (None, 3.0, 0.0)] == [0.2, 3.0, 0.2]
    assert jumpy.wait_seconds(1, 3.0) == pytest.approx(4.5)
    assert calm.wait_seconds(1_000, None) == 10.0


async def test_notifications_are_listed_page_after_page_the_newest_first(world: World, carillon: Carillon) -> None:
    sent = [await carillon.send(EVENT) for _ in range(3)]
    await carillon.send(Event(event_type="order_lost", user_id=1, data={"message": "hello"}))

    found = [one async for one in carillon.notifications(event_type="order_shipped", limit=2)]

    assert [one.id for one in found] == [accepted.id for accepted in reversed(sent)]
    assert {one.status for one in found} == {"pending"}


async def test_what_is_called_back_is_cancelled_and_what_is_delivered_is_refused(
    world: World, carillon: Carillon
) -> None:
    accepted = await carillon.send(EVENT)

    assert await carillon.cancel(accepted.id) == "cancelled"
    with pytest.raises(RequestRefused) as refused:
        await carillon.cancel("5b0c2a9e-51f4-5d2f-8a35-2f6f4f1c9d01")
    assert refused.value.problem.status == 404


async def test_what_an_event_asks_for_is_heard_alone_and_among_several(world: World, carillon: Carillon) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    asking = replace(EVENT, send_at=later, on_ambiguous="hold", priority="high")

    alone = await carillon.send(asking)
    (among,) = await carillon.send_all([asking])

    assert isinstance(among, Accepted)
    for accepted in (alone, among):
        document = (await carillon.status(accepted.id)).document
        assert (document["status"], document["wishes"]) == ("scheduled", {"on_ambiguous": "hold", "priority": "high"})


@pytest.mark.parametrize("misdeed", [a_redirect, no_json])
async def test_what_answers_and_is_no_carillon_is_told_and_nobody_else_gets_the_key(
    door: Door, carillon: Carillon, misdeed: Misdeed
) -> None:
    door.misdeeds = [misdeed]

    with pytest.raises(RequestRefused, match="This is no Carillon"):
        await carillon.status("018f6c1e-7a52-7b3e-9c1d-2f4f5d0a9c11")

    assert len(door.seen) == 1
