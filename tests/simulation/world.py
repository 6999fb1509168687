"""One run of the simulation: a world made from its seed, and what became of it."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

from shared.events import Event as CloudEvent
from shared.events import EventType, encode
from shared.metrics import Metrics
from shared.saga.owed import GRACE, NO_GRACE
from shared.settings import Settings
from tests.simulation.broker import ChaosBroker
from tests.simulation.chaos import Chaos
from tests.simulation.history import History
from tests.simulation.loop import Actor, State, VirtualLoop
from tests.simulation.mail import SOON_OVER, TEMPERS, MailServers
from tests.simulation.people import People, draw_scenario
from tests.simulation.people_in_digests import with_digests
from tests.simulation.process import Process
from tests.simulation.store import Memory, MemoryStore
from tests.simulation.watch import Watch
from tests.simulation.weather import Weather, draw_weather

T = TypeVar("T")

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
TICK_SECONDS, TICK_BEHIND_A_SINK_SECONDS = 5.0, 1.0
LONGEST_RUN_SECONDS = 3 * 86_400.0
AFTERMATH_SECONDS = 300.0
"""So long after the end of everything what is still under way may come: zombies, and copies."""

MOST_EVENTS = 30_000
"""More than that for a handful of notifications, and something goes round in circles."""

PROCESSES = {
    "ingest": 1,
    "orchestrate": 2,
    "deliver-email": 2,
    "push-ws": 1,
    "compensate": 1,
    "sweep": 2,
    "console": 1,
    "realtime": 1,
}
SETTINGS = Settings(api_keys=None, host="127.0.0.1", intake_backlog_max=100_000, channels="email,websocket")


class World:
    """Everything that there is in one run."""

    def __init__(self, seed: int, *, weather: Weather | None = None) -> None:
        self.seed, self.random = seed, Random(seed)
        self.weather = weather or draw_weather(self.random)
        self.loop = VirtualLoop()
        self.context = copy_context()
        self.history, self.metrics, self.settings = History(), Metrics(), SETTINGS
        self.tick_seconds = TICK_BEHIND_A_SINK_SECONDS if self.weather.is_sink else TICK_SECONDS
        self.memory = Memory(
            now=lambda: NOON + timedelta(seconds=self.loop.time()),
            random=self.random,
            grace=NO_GRACE if self.weather.is_sink else GRACE,
        )
        self.store = MemoryStore(self.memory)
        self.store.fan_outs.users_at_once = 2
        self.watch = Watch(self)
        self.memory.on_commit = self.watch.committed
        self.broker = ChaosBroker(self)
        self.mail = MailServers(self, TEMPERS if self.weather.has_sweep else SOON_OVER, self.random)
        self.chaos = Chaos(self, self.weather)
        scenario = draw_scenario(self.random, self.weather.seconds, NOON)
        if self.weather.has_sweep:
            scenario = with_digests(scenario, Random(f"digests of {seed}"), self.weather.seconds, NOON)
        self.people = People(self, scenario)
        self.is_over = False
        self._places: dict[str, Process] = {}
        self._actors: list[Actor] = []
        self._lives = 0
        self._ticker: asyncio.TimerHandle | None = None
        self._changed: asyncio.Future[None] | None = None
        self._life: asyncio.Task[Any] | None = None

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.loop.now

    def tell(self, who: str, what: str, values: tuple[Any, ...], *details: Any) -> None:
        """Add a line to the story."""
        self.history.tell(self.loop.now, who, what, values, details)
        if len(self.history.events) == MOST_EVENTS and self._life is not None:
            self._life.cancel()

    def latency(self) -> float:
        """Draw how long one way takes."""
        return self.random.random() * self.weather.latency_seconds

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        """Let something happen in the world after a while, whatever becomes of who asked for it."""
        self.loop.call_at(self.loop.now + seconds, callback, context=self.context)

    def spawn(self, work: Coroutine[Any, Any, T]) -> None:
        """Let something that takes time happen in the world."""
        self.loop.create_task(work, context=self.context)

    @property
    def began(self) -> datetime:
        """When it began, by the database."""
        return NOON

    def processes(self) -> list[Process]:
        """List the living and the stopped."""
        return list(self._places.values())

    def one_of(self, kind: str) -> Process:
        """Choose an instance of a function; the one that lived last, where none lives now."""
        return self.random.choice([process for process in self._places.values() if process.kind == kind])

    def replace(self, process: Process) -> None:
        """Let another life begin in the place of a process that is gone."""
        place = process.name.partition(".")[0]
        self.after(self.random.choice([0.5, 5.0, 30.0]), lambda: self._begin_life(place, process.kind))

    def _begin_life(self, place: str, kind: str) -> None:
        self._lives += 1
        process = Process(self, kind, f"{place}.{self._lives}")
        self._places[place] = process
        self._actors.append(process.actor)
        process.start()

    def run(self) -> History:
        """Run to the end."""
        others, logging.root.handlers = logging.root.handlers, [_Listener(self)]
        try:
            asyncio.set_event_loop(None)
            self.loop.run_until_complete(self._live())
        finally:
            logging.root.handlers = others
            self.loop.close()
        return self.history

    async def _live(self) -> None:
        self._life = asyncio.current_task()
        try:
            await self._begin()
            async with asyncio.timeout(LONGEST_RUN_SECONDS):
                await asyncio.sleep(self.weather.seconds)
                await self._wait_for_the_end()
        except TimeoutError:
            self.history.violate("Every accepted notification ends: after three days some have not.")
        except asyncio.CancelledError:
            self.history.violate("The work for a notification has a bound: this goes round in circles.")
        finally:
            self.is_over = True
            await self.loop.end_all_tasks(self._actors)

    async def _wait_for_the_end(self) -> None:
        is_quiet = False
        while not (is_quiet and self._has_ended()):
            while not self._has_ended():
                self._changed = self.loop.create_future()
                await self._changed
            await asyncio.sleep(AFTERMATH_SECONDS)
            is_quiet = True

    def _has_ended(self) -> bool:
        return self.people.are_answered and self.watch.has_ended()

    async def _begin(self) -> None:
        await self.people.settle_in()
        self.broker.inner.on_loss = None if self.weather.is_sink else self._spread_the_loss
        await self.broker.inner.start()
        for kind, count in PROCESSES.items():
            for number in range(count):
                self._begin_life(f"{kind}-{number + 1}", kind)
        self.people.begin()
        self.chaos.begin()

    async def _spread_the_loss(self) -> None:
        """Let one process hear that the broker lost what it held; or none, and the sweep finds out by itself."""
        process = self.one_of("orchestrate")
        if self.random.random() < 0.7:
            process.arrive(self.latency(), lambda: asyncio.create_task(_hear(process)))

    def stirred(self) -> None:
        """Note that rows have changed: the end may have come, and the sweep may be needed earlier."""
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        if self.weather.has_sweep:
            self._set_ticker()

    def _set_ticker(self) -> None:
        """Ring at the next tick at which something is due: the ticks before would find nothing."""
        due = self.watch.next_look()
        if due is None:
            return
        at = max(math.ceil(due / self.tick_seconds), math.floor(self.now / self.tick_seconds) + 1) * self.tick_seconds
        if self._ticker is not None and self._ticker.when() > self.now:
            if self._ticker.when() <= at:
                return
            self._ticker.cancel()
        self._ticker = self.loop.call_at(at, self._tick, context=self.context)

    def sweepers(self) -> list[Process]:
        """List the sweeps that run."""
        return [p for p in self.processes() if p.kind == "sweep" and p.actor.state is State.RUNNING]

    def _tick(self) -> None:
        event = CloudEvent(id=f"tick-{self.now:g}", source="/simulation", type=EventType.TICK)
        for process in self.sweepers()[: self.random.choice([1, 1, 2])]:
            process.hand(encode(event))
        self._ticker = None
        self._set_ticker()


async def _hear(process: Process) -> None:
    try:
        await process.resources.on_loss()
    except Exception:
        process.world.tell(process.name, "could not mark what the broker lost", ())


class _Listener(logging.Handler):
    """Takes what processes log as errors into the story."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._world.watch.logged(record)
