"""The stand-ins that speak HTTP, on one port: each under a prefix of its own, each with its own moods.

On aiohttp's server, because a stand-in must be able to cut a connection in the middle of an answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Protocol

from aiohttp import web

from infrastructure.sandbox.behaviours import Behaviour, behaviour_of, times
from infrastructure.sandbox.mailbox import Mailbox, Received
from infrastructure.sandbox.moods import Moods, Outage
from infrastructure.sandbox.recipients import SLOW_SECONDS, Attempts

MOST_CALLS_REMEMBERED = 10_000
HANG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a stand-in says. `body` is JSON unless it is text; `keeps` says whether the message is kept before."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    keeps: bool = False

    def response(self) -> web.Response:
        """Write it."""
        if isinstance(self.body, str):
            return web.Response(status=self.status, text=self.body, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


class Cut(Exception):
    """The connection is to be cut without another word."""


Act = Answer | Behaviour
Table = Mapping[Behaviour, Answer]
"""What one provider says in each case; the acts that are no answer (hang, cut, reset) need no row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One message on its way into a stand-in. `key` is the same for a second attempt, where the provider has one.

    `message` is asked once, when it is kept; a call that brings none, such as a look-up, has None.
    A copy is one that the provider knows by its key and has kept: it answers, and keeps nothing more.
    """

    to: str
    key: str
    message: Callable[[], Received] | None
    accepted: Answer
    table: Table
    is_copy: bool = False


class StandIn(Protocol):
    """One provider: its name, which is its prefix too, and its routes without the prefix."""

    name: str

    def routes(self, room: Room) -> Iterable[web.RouteDef]:
        """List the routes."""


class Room:
    """What one stand-in has to itself: its moods, and what tests wrote into its script."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self.name = name
        self.mailbox = mailbox
        self.moods = Moods()
        self.attempts = Attempts()
        self.calls: deque[str] = deque(maxlen=MOST_CALLS_REMEMBERED)
        self._script: dict[str, deque[Act]] = {}
        self._later: set[asyncio.Task[None]] = set()

    def will_answer(self, to: str, *acts: Act) -> None:
        """Let the next calls for an address fare like that, in this order."""
        self._script.setdefault(to, deque()).extend(acts)

    async def meet(self, call: Call) -> web.Response:
        """Make of a message what its recipient, the script and the moods say.

        Raises:
            Cut: the connection must be cut.
        """
        self.calls.append(call.to)
        await asyncio.sleep(self.moods.latency_seconds)
        if self.moods.outage is Outage.RESET:
            raise Cut
        if self.moods.outage is Outage.BANNER or self.moods.refuses_now():
            return call.table[Behaviour.TEMPFAIL].response()
        act = self._next(call)
        if isinstance(act, Answer):
            return self._say(call, act)
        return await self._behave(call, act)

    def _next(self, call: Call) -> Act:
        if script := self._script.get(call.to):
            return script.popleft()
        behaviour = behaviour_of(call.to)
        return behaviour if self.attempts.count(call.key) < times(behaviour) else Behaviour.ACCEPTED

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Begin what a provider does later by itself, such as calling back; a stop cancels it."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def stop(self) -> None:
        """Cancel what was begun."""
        tasks = list(self._later)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, call: Call) -> None:
        if call.message is not None and not call.is_copy:
            self.mailbox.keep(call.message())

    def _say(self, call: Call, answer: Answer) -> web.Response:
        if answer.keeps:
            self._keep(call)
        return answer.response()

    async def _behave(self, call: Call, behaviour: Behaviour) -> web.Response:
        if behaviour is Behaviour.HANG:
            await asyncio.sleep(HANG_SECONDS)
        if behaviour is Behaviour.RESET:
            raise Cut
        if behaviour in (Behaviour.CUT, Behaviour.CUT_ALWAYS):
            self._keep(call)
            raise Cut
        if behaviour is Behaviour.SLOW:
            self._keep(call)
            await asyncio.sleep(SLOW_SECONDS)
            return call.accepted.response()
        if behaviour is Behaviour.GARBAGE:
            self._keep(call)
            return web.Response(text="<html>It worked, probably</html>", content_type="text/html")
        if behaviour is Behaviour.ACCEPTED:
            self._keep(call)
            return call.accepted.response()
        same = {Behaviour.FAILTWICE: Behaviour.TEMPFAIL}
        return self._say(call, call.table[same.get(behaviour, behaviour)])


def http_date(seconds_from_now: float, now: float) -> str:
    """Write a moment as Retry-After may have it."""
    return formatdate(now + seconds_from_now, usegmt=True)


class SandboxHttp:
    """The server. The mailbox outlives it."""

    def __init__(self, mailbox: Mailbox, stand_ins: Iterable[StandIn]) -> None:
        self.rooms: dict[str, Room] = {}
        self._app = web.Application(middlewares=[_cutting], client_max_size=2**22)
        for stand_in in stand_ins:
            room = self.rooms[stand_in.name] = Room(stand_in.name, mailbox)
            inner = web.Application()
            inner.add_routes(stand_in.routes(room))
            self._app.add_subapp(f"/{stand_in.name}", inner)
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1)
        self.host, self.port = "127.0.0.1", 0

    @property
    def url(self) -> str:
        """Where the prefixes begin."""
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes any that is free."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.host, self.port = host, self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections from here on, and cut those that are open."""
        for room in self.rooms.values():
            await room.stop()
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Count the connections that are open. The server lists one until its handler ends, even if its client left."""
        listed = self._runner.server.connections if self._runner.server else []
        return sum(connection.transport is not None for connection in listed)


@web.middleware
async def _cutting(request: web.Request, handler: Callable[..., object]) -> web.StreamResponse:
    try:
        answer = await handler(request)  # type: ignore[misc]
        assert isinstance(answer, web.StreamResponse)
        return answer
    except Cut:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
