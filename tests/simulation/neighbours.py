"""The store and the broker as one process sees them: the same rooms, at the other end of its wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from shared.broker import Message, PublishRefused
from shared.broker.protocol import OnHint, OnLoss, OnMessages, Subscription
from shared.errors import DatabaseUnavailable
from shared.store import Store
from shared.store.sagas import Sagas, SagaSet
from shared.store.unlocked import UnlockedSagas
from tests.simulation.broker import Connection
from tests.simulation.store.engine import Transaction
from tests.simulation.store.sagas import MemorySagaSet

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.wire import Wire
    from tests.simulation.world import World

ROOMS = (
    "intake",
    "fan_outs",
    "claims",
    "breakers",
    "dead_letters",
    "digests",
    "directory",
    "gauges",
    "inbox",
    "looks",
    "receipts",
    "views",
)
Method = Callable[..., Coroutine[Any, Any, Any]]


class Room:
    """A room of the store whose every call travels by the wire."""

    def __init__(self, wire: Wire, name: str, room: object) -> None:
        self._wire, self._name, self._room = wire, name, room

    def __getattr__(self, method: str) -> Method:
        target: Method = getattr(self._room, method)
        what = f"{self._name}.{method}"

        def travel(*values: Any, **named: Any) -> Coroutine[Any, Any, Any]:
            return self._wire.call(what, (*values, *named.values()), partial(target, *values, **named))

        setattr(self, method, travel)
        return travel


class Session:
    """A connection with a transaction in it. If its process dies, what it has sent is done, and then all is undone."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._transaction = Transaction(process.world.memory)
        self._sagas = MemorySagaSet(self._transaction)
        self._is_busy = self._is_lost = False

    async def call(self, method: str, *values: Any, **named: Any) -> Any:
        """Run one statement of the set; for nothing the real one asks nothing."""
        target: Method = getattr(self._sagas, method)
        if not (values[0] if method == "load" else values[-1]):
            return await target(*values, **named)
        return await self._travel(f"sagas.{method}", values, partial(target, *values, **named))

    async def commit(self) -> None:
        """Commit."""
        await self._travel("sagas.commit", (), self._commit)

    def roll_back(self) -> None:
        """Undo all, when the statement under way is over."""
        self._is_lost = True
        if not self._is_busy and not self._transaction.is_over:
            self._transaction.rollback()

    @property
    def now(self) -> datetime:
        """The database's time when the rows were locked."""
        return self._sagas.now

    async def _commit(self) -> Any:
        watch = self._process.world.watch
        watch.last_moves = []
        self._transaction.commit()
        return watch.last_moves

    def _travel(
        self, what: str, values: tuple[Any, ...], statement: Callable[[], Coroutine[Any, Any, Any]]
    ) -> Coroutine[Any, Any, Any]:
        return self._process.wire.call(what, values, partial(self._run, statement))

    async def _run(self, statement: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if self._transaction.is_over:
            raise DatabaseUnavailable("the connection is gone")
        self._is_busy = True
        try:
            return await statement()
        finally:
            self._is_busy = False
            if self._is_lost and not self._transaction.is_over:
                self._transaction.rollback()


class SagasOverWire:
    """The room of sagas: transactions are sessions, the rest travels as in any room."""

    def __init__(self, process: Process, room: Sagas) -> None:
        self._process = process
        self._room = Room(process.wire, "sagas", room)

    def __getattr__(self, method: str) -> Method:
        return cast(Method, getattr(self._room, method))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SagaSet]:
        """Open a transaction over a set of sagas."""
        session = Session(self._process)
        self._process.sessions.append(session)
        try:
            yield cast(SagaSet, SagaSetOverWire(session))
            await session.commit()
        finally:
            self._process.world.after(0, session.roll_back)
            self._process.sessions.remove(session)


class SagaSetOverWire:
    """A set of sagas at the other end of a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def now(self) -> datetime:
        """The database's time when the rows were locked."""
        return self._session.now

    def __getattr__(self, method: str) -> Method:
        return partial(self._session.call, method)


class UnlockedOverWire:
    """The room of sagas without locks: what is read and what is written travels, each by itself."""

    def __init__(self, process: Process, room: UnlockedSagas) -> None:
        self._process, self._room = process, room

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[SagaSet]:
        """Open a set of sagas."""
        async with self._room.sagas() as sagas:
            yield cast(SagaSet, UnlockedSetOverWire(self._process, sagas))


class UnlockedSetOverWire:
    """A set of sagas without locks; what it has read already is at hand."""

    def __init__(self, process: Process, sagas: SagaSet) -> None:
        self._process, self._sagas = process, sagas

    @property
    def now(self) -> datetime:
        """The database's time when it was read."""
        return self._sagas.now

    def __getattr__(self, method: str) -> Method:
        target: Method = getattr(self._sagas, method)
        watch = self._process.world.watch

        if method not in ("load", "save"):
            return target

        def travel(*values: Any, **named: Any) -> Coroutine[Any, Any, Any]:
            return self._process.wire.call(f"unlocked.{method}", values, partial(work, *values, **named))

        async def work(*values: Any, **named: Any) -> Any:
            watch.last_moves = []
            result = await target(*values, **named)
            return watch.last_moves if method == "save" else result

        return travel


class StoreOverWire(Store):
    """The store of one process."""

    def __init__(self, process: Process, store: Store) -> None:
        self.sagas = cast(Sagas, SagasOverWire(process, store.sagas))
        self.unlocked = cast(UnlockedSagas, UnlockedOverWire(process, store.unlocked))
        self.erasures = store.erasures  # nobody is forgotten here: nothing goes over the wire
        self.hints = store.hints
        for name in ROOMS:
            setattr(self, name, Room(process.wire, name, getattr(store, name)))

    async def is_ready(self) -> bool:
        """Nobody asks here."""
        return True


class LineOverWire:
    """The way of one process to a sink: each message is a request of its own."""

    connections = 4

    def __init__(self, process: Process) -> None:
        self._process = process

    async def send(self, message: Message, until: float) -> PublishRefused | None:
        """Send one message by the wire."""
        world = self._process.world
        (answer,) = await self._process.wire.call(
            "publish", ([message],), lambda: world.broker.take(self._process, [message])
        )
        return answer

    async def close(self) -> None:
        """Its process lets go of it when it ends."""


class BrokerOverWire:
    """The broker of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world: World = process.world
        self._connection = Connection(process)
        self.on_loss: OnLoss | None = None
        self.is_ready = self.holds_back = self.carries_bundles = True

    async def start(self) -> None:
        """It is connected already."""

    async def stop(self) -> None:
        """Its process lets go of it when it ends."""

    async def publish(self, messages: Sequence[Message]) -> list[PublishRefused | None]:
        """Publish a set by the wire."""
        return await self._process.wire.call(
            "publish", (messages,), lambda: self._world.broker.take(self._process, messages)
        )

    async def subscribe(self, queue: str, on_messages: OnMessages, prefetch: int, *, priority: int = 0) -> Subscription:
        """Consume a work queue; what arrives travels by the wire, too. All have the same priority here."""
        return self._connection.subscribe(queue, on_messages, prefetch)

    def hint(self, body: bytes) -> None:
        """Nobody listens here: a hint may be lost."""

    async def listen(self, on_hint: OnHint) -> Subscription:
        """Hear nothing."""
        raise NotImplementedError

    async def depths(self) -> dict[str, int]:
        """Nobody asks here."""
        return {}

    def cut(self) -> None:
        """End the connection: what is in hand is delivered again, and cannot be settled any more."""
        self._connection.cut()

    def reconnect(self) -> None:
        """Connect again, with the same subscriptions."""
        self._connection.open()
