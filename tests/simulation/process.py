"""One process of the house: the production frames and local sources, over neighbours at the end of a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from functions.compensate.main import FUNCTION as COMPENSATE
from functions.ingest.accepting import Acceptance, Accepted, FannedOut
from functions.ingest.requests import Item
from functions.orchestrate.main import FUNCTION as ORCHESTRATE
from functions.push_ws.main import FUNCTION as PUSH_WS
from functions.sweep.main import FUNCTION as SWEEP
from infrastructure.local.manifests import DEFAULT_FOLDER, QueueSource, read
from infrastructure.local.sources import QueueRunner
from infrastructure.local.targets import GATEWAY_TIMEOUT, LARGEST_BATCH, Statuses, Told
from shared.broker import Broker
from shared.broker.sink import SinkBroker
from shared.events import read_one
from shared.outcomes import Line
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import Frame, Step, delivery
from tests.simulation.loop import Actor, State
from tests.simulation.mail import Mail
from tests.simulation.neighbours import BrokerOverWire, LineOverWire, Session, StoreOverWire
from tests.simulation.wire import Wire, answer_with

if TYPE_CHECKING:
    from tests.simulation.world import World

TARGET_SECONDS = 120.0
"""The revision's timeout."""

HEARTBEAT_SECONDS = 20.0
"""After so long the broker takes a silent connection for gone."""


@cache
def sources() -> dict[str, tuple[QueueSource, ...]]:
    """Read from the manifests which queues a function consumes, and how."""
    every = read(DEFAULT_FOLDER).queue_sources
    return {name: tuple(s for s in every if s.service == name) for name in {s.service for s in every}}


class FrameTarget:
    """A step as a local source sees it."""

    together = LARGEST_BATCH

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def deliver(self, bodies: Sequence[bytes], told: Told | None = None, *, alone: bool = False) -> list[int]:
        """Hand events to the frame, as `shared/serve.py` does, within the revision's timeout."""
        statuses = Statuses(len(bodies), told)
        try:
            async with asyncio.timeout(TARGET_SECONDS):
                statuses.note(
                    list(enumerate(await self._frame.take([read_one(body) for body in bodies], statuses.note)))
                )
        except TimeoutError:
            pass
        return statuses.all(GATEWAY_TIMEOUT)


class Process:
    """One life of one instance of a function."""

    def __init__(self, world: World, kind: str, name: str) -> None:
        self.world, self.kind, self.name = world, kind, name
        self.actor = Actor(name)
        self.wire = Wire(world, self)
        self.broker = BrokerOverWire(self)
        self.sessions: list[Session] = []
        store = StoreOverWire(self, world.store)
        self.resources = Resources(
            settings=world.settings,
            store=store,
            broker=self._sink(store) if world.weather.is_sink else cast(Broker, self.broker),
            metrics=world.metrics,
        )
        self._runners: list[QueueRunner] = []
        self.frame: Frame | None = None
        self.acceptance: Acceptance | None = None

    def arrive(self, seconds: float, callback: Callable[[], object]) -> None:
        """Have something reach this process after a while: its own code then runs, if it may."""
        self.world.loop.call_later(seconds, self._run, callback, context=self.actor.context)

    def _run(self, callback: Callable[[], object]) -> None:
        if not self.world.is_over:
            callback()

    def start(self) -> None:
        """Begin to live."""
        self.world.tell(self.name, "starts", ())
        self.arrive(0, lambda: asyncio.create_task(self._start()))

    def _sink(self, store: StoreOverWire) -> Broker:
        sink = SinkBroker(LineOverWire(self))
        sink.lean_on(store.hints, store.looks.look_by)
        return sink

    async def _start(self) -> None:
        if self.world.weather.is_sink:
            await self.resources.broker.start()
        if self.kind == "ingest":
            self.acceptance = Acceptance(self.resources)
        step = self._step()
        if step is None:
            return
        self.frame = Frame(step.name, step.takes, step.open(self.resources), self.resources)
        for source in sources().get(self.kind, ()):
            runner = QueueRunner(source, cast(Broker, self.broker), FrameTarget(self.frame))
            await runner.start()
            self._runners.append(runner)

    def _step(self) -> Step | None:
        steps = {"orchestrate": ORCHESTRATE, "compensate": COMPENSATE, "sweep": SWEEP, "push-ws": PUSH_WS}
        if self.kind == "deliver-email":
            servers = self.world.mail
            lines = [Line(provider=Mail(self, name), weight=servers.weight(name)) for name in servers.names]
            return delivery(self.kind, Channel.EMAIL, lambda _: lines)
        return steps.get(self.kind)

    def hand(self, body: bytes) -> None:
        """Hand one event to the frame, as a PingSource does; nobody waits for the answer."""
        if self.frame is not None:
            target = FrameTarget(self.frame)
            self.arrive(self.world.latency(), lambda: asyncio.create_task(target.deliver([body])))

    def accept(self, submission: Item, answer: asyncio.Future[Accepted | FannedOut]) -> None:
        """Take one submission, as the intake's address does."""
        self.arrive(self.world.latency(), lambda: asyncio.create_task(self._accept(submission, answer)))

    async def _accept(self, submission: Item, answer: asyncio.Future[Accepted | FannedOut]) -> None:
        if self.acceptance is None:
            return
        try:
            (result,) = await self.acceptance.accept([submission])
        except Exception:
            return  # 503: the client asks again
        if isinstance(result, Accepted | FannedOut):
            self.world.after(self.world.latency(), lambda: answer_with(answer, result, None))

    def die(self, why: str, values: tuple[object, ...] = ()) -> None:
        """Be killed: none of its code runs any more. What it held goes back, and another life begins after a while."""
        if self.actor.state is State.DEAD:
            return
        self.actor.state = State.DEAD
        self.world.tell(self.name, "dies", values, why)
        self.world.history.seen[why] += 1
        self.world.after(0, self._after_death)

    def _after_death(self) -> None:
        self.broker.cut()
        for session in self.sessions:
            self.world.after(self.world.latency(), session.roll_back)
        self.world.replace(self)

    def stop_for_a_while(self, why: str, values: tuple[object, ...] = ()) -> None:
        """Be stopped: its code stands still, and later goes on with what it remembers."""
        if self.actor.state is not State.RUNNING:
            return
        has_claim = "provider.send" in why or "claims.record" in why
        seconds = self.world.random.choice([90.0, 200.0] if has_claim else [1.0, 10.0, 45.0, 90.0, 200.0])
        self.actor.state = State.STOPPED
        self.world.tell(self.name, "is stopped", values, why, seconds)
        self.world.history.seen[why] += 1
        if seconds > HEARTBEAT_SECONDS:
            self.world.after(HEARTBEAT_SECONDS, self.broker.cut)
        self.world.after(seconds, self._go_on)

    def _go_on(self) -> None:
        if self.actor.state is State.STOPPED:
            self.world.tell(self.name, "goes on", ())
            self.world.loop.go_on(self.actor)
            self.broker.reconnect()

    def lose_connection(self) -> None:
        """Lose the connection to the broker for a moment."""
        self.world.tell(self.name, "loses its connection to the broker", ())
        self.broker.cut()
        self.world.after(self.world.random.uniform(0.1, 5), self._reconnect)

    def _reconnect(self) -> None:
        if self.actor.state is State.RUNNING:
            self.broker.reconnect()

    def roll_out(self) -> None:
        """End in good order, as on a new revision: take no more, finish what is held."""
        self.world.tell(self.name, "ends in good order", ())
        self.arrive(0, lambda: asyncio.create_task(self._roll_out()))

    async def _roll_out(self) -> None:
        for runner in self._runners:
            await runner.stop()
        if self.frame is not None:
            await self.frame.drain()
        if self.acceptance is not None:
            await self.acceptance.close()
        self.world.after(0, lambda: self.die("ended in good order"))
