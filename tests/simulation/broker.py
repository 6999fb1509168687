"""The house's in-process broker, behind everything that a broker and a network can do to a message."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.broker import Message, PublishRefused
from shared.broker.in_process import InProcessBroker, WorkSubscription
from shared.broker.protocol import OnMessages, Received
from tests.simulation.watch import members_of
from tests.simulation.weather import Weather

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

T = TypeVar("T")

MOST_COPIES = 40
"""So many in one run: nothing merges the copies of a command that waits, and each of them may be copied again."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("it waited")


class ChaosBroker:
    """One broker for all processes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.inner = InProcessBroker()
        self._copies_left = MOST_COPIES

    async def take(self, publisher: Process, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Take a set; return for each message None when it is confirmed, or why it is not."""
        for message in messages:
            self._world.watch.published(publisher, message)
        return [self._take(message, self._world.chaos.weather_for(publisher)) for message in messages]

    def _take(self, message: Message, weather: Weather) -> PublishRefused | None:
        world, dice = self._world, self._world.random
        about = tuple(event["id"] for event in members_of(message.body))
        refused = weather.message_refused
        if refused and world.watch.is_late_success(message):  # rare, so it is made likely
            refused = 0.5
        if dice.random() < refused:
            world.tell("broker", "refuses", about)
            return PublishRefused("simulated")
        if dice.random() < weather.message_lost:
            world.tell("broker", "loses", about)
            return None
        copies = 2 if dice.random() < weather.message_doubled and self._may_copy() else 1
        if copies == 2:
            world.tell("broker", "doubles", about)
        for _ in range(copies):
            held = dice.random() < weather.message_held
            seconds = dice.uniform(0.1, dice.choice([1, 10, 90])) if held else 0.0
            if held:
                world.tell("broker", "holds", about, seconds)
            world.after(seconds, partial(self._put, message))
        if dice.random() < weather.message_kept_but_refused and self._may_copy():
            world.tell("broker", "keeps but refuses", about)
            return PublishRefused("simulated: the confirm was lost")
        return None

    def _may_copy(self) -> bool:
        self._copies_left -= 1
        return self._copies_left >= 0

    def _put(self, message: Message) -> None:
        at_once(self.inner.publish([message]))

    def return_to_sweep(self, publisher: Process, received: Received) -> None:
        """Do with what a step could not take as a dispatcher does: settle it, and only then hand it to the sweep."""
        world = self._world
        received.acknowledge()
        sweepers = world.sweepers()
        if not sweepers or world.random.random() < world.chaos.weather_for(publisher).message_lost:
            world.tell("broker", "loses what came back", (received.message_id,))
            return
        world.history.seen["an event came back to the sweep"] += 1
        world.tell("broker", "returns", (received.message_id,))
        world.random.choice(sweepers).hand(received.body)

    def lose_everything(self) -> None:
        """Forget every message; whoever is told by `on_loss` has what is owed published soon."""
        self.inner.lose_everything()


@dataclass(slots=True)
class Wanted:
    """A subscription that a process has asked for, and what it has of it now."""

    world: World
    queue: str
    on_messages: OnMessages
    prefetch: int
    inner: WorkSubscription | None = None
    is_cancelled: bool = False

    async def cancel(self) -> None:
        """Take no more. What is in hand may still be settled."""
        self.world.after(0, self._cancel)

    def _cancel(self) -> None:
        self.is_cancelled = True
        if self.inner is not None:
            at_once(self.inner.cancel())
            self.inner = None


class InHand:
    """One message in a process's hands. Settling it travels by the wire; after a cut it does nothing."""

    def __init__(self, connection: Connection, line: int, inner: Received) -> None:
        self._connection, self._line, self._inner = connection, line, inner
        self.queue, self.message_id = inner.queue, inner.message_id
        self.content_type, self.body, self.redelivered = inner.content_type, inner.body, inner.redelivered

    def acknowledge(self) -> None:
        """The outcome is durable."""
        self._connection.settle("acknowledge", self._line, self._inner)

    def reject(self) -> None:
        """The step could not run."""
        self._connection.settle("reject", self._line, self._inner)


class Connection:
    """The connection of one process to the broker, and its subscriptions across reconnections."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wanted: list[Wanted] = []
        self._line = 0
        self._is_open = True

    def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int) -> Wanted:
        """Consume a work queue until cancelled."""
        wanted = Wanted(self._process.world, queue, on_messages, prefetch)
        self._wanted.append(wanted)
        self._process.world.after(0, partial(self._begin, wanted))
        return wanted

    def cut(self) -> None:
        """Break: everything in hand goes back to its queue at once."""
        self._line += 1
        self._is_open = False
        for wanted in self._wanted:
            if wanted.inner is not None:
                wanted.inner._consumer.let_go(0.0)
                wanted.inner = None

    def open(self) -> None:
        """Connect again."""
        if not self._is_open:
            self._is_open = True
            for wanted in self._wanted:
                self._begin(wanted)

    def settle(self, what: str, line: int, received: Received) -> None:
        """Tell the broker what became of a message, unless the connection on which it came is gone."""

        def arrive() -> None:
            if line != self._line:
                return
            world = self._process.world
            if what == "acknowledge":
                world.watch.acknowledged(received.body)
            elif world.weather.is_sink:
                world.broker.return_to_sweep(self._process, received)
                return
            getattr(received, what)()

        self._process.wire.send(what, (received.message_id,), arrive)

    def _begin(self, wanted: Wanted) -> None:
        if not self._is_open or wanted.inner is not None or wanted.is_cancelled:
            return
        hear = partial(self._arrived, wanted, self._line)
        inner = at_once(self._process.world.broker.inner.subscribe(wanted.queue, hear, wanted.prefetch))
        assert isinstance(inner, WorkSubscription)
        wanted.inner = inner

    def _arrived(self, wanted: Wanted, line: int, messages: Sequence[Received]) -> None:
        """Let what was delivered travel to the process; if it is gone by then, the broker has it back already."""
        process = self._process
        in_hand = [InHand(self, line, message) for message in messages]
        process.arrive(process.world.latency(), lambda: wanted.on_messages(in_hand) if line == self._line else None)
