"""An event loop whose clock jumps to the next timer when there is nothing to do, and that can stop a process.

Every callback belongs to the actor in whose context it was made. What belongs to a dead actor is never run again, as
after a kill -9: not even a `finally`. What belongs to a stopped one is kept, and runs when it goes on.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


class State(Enum):
    """Whether an actor's code runs."""

    RUNNING = "running"
    STOPPED = "stopped"  # SIGSTOP, a long pause of the machine
    DEAD = "dead"


class Actor:
    """Somebody whose code runs in the loop: a process, a client, a person."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = State.RUNNING
        self.context: Context = copy_context()
        self.context.run(ACTOR.set, self)
        self.kept: deque[Call] = deque()


ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)


class StandStill(Exception):
    """Nothing is left to happen, and the end was not reached."""


class Call(asyncio.TimerHandle):
    """A callback, and when it is to be called. Most of a run is made of these: they keep nothing that is not needed."""

    __slots__ = ()
    _repr = _source_traceback = None

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._when, self._callback, self._args, self._context = when, callback, args, context
        self._cancelled = False

    def cancel(self) -> None:
        """Let it never be called."""
        self._cancelled = True
        self._callback = self._args = None  # type: ignore[assignment]

    def __lt__(self, other: object) -> bool:
        """Of two at the same moment none is the earlier: which comes first is up to the heap, as in asyncio."""
        return False

    __eq__, __hash__ = object.__eq__, object.__hash__


class Errand:
    """Something that takes time in the world, without a task of its own: it begins at once, and often ends at once."""

    def __init__(self, loop: VirtualLoop, work: Coroutine[Any, Any, object], context: Context) -> None:
        self._loop, self._context = loop, context
        self.work = work

    def go_on(self, _: object = None) -> None:
        """Run until it waits for something, or is over."""
        try:
            awaited: asyncio.Future[Any] | None = self.work.send(None)
        except BaseException as end:
            self._loop.errands.pop(self, None)
            if not isinstance(end, StopIteration):
                raise
            return
        self._loop.errands[self] = None
        if awaited is None:
            self._loop.call_soon(self.go_on, context=self._context)
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self.go_on, context=self._context)


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without a world outside."""

    _stopping: bool
    get_debug = staticmethod(bool)  # every future asks, and nobody debugs here

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, Call]] = []
        self.all_tasks: list[asyncio.Task[Any]] = []
        self.errands: dict[Errand, None] = {}
        """Those that wait for something, in order."""
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        """Read the virtual clock, in seconds since the beginning, as `now` does."""
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Call:  # type: ignore[override]
        """Call something in the next round."""
        call = Call(self.now, callback, args, copy_context() if context is None else context)
        self._ready.append(call)
        return call

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Call:  # type: ignore[override]
        """Call something at a time of the virtual clock."""
        call = Call(when, callback, args, copy_context() if context is None else context)
        heapq.heappush(self._timers, (when, call))
        return call

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        """Call something after so many seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], *, name: object = None, context: Any = None
    ) -> asyncio.Task[T]:
        """Make a task that belongs to whoever makes it, also where it is given an empty context."""
        actor = ACTOR.get()
        if actor is not None and context is not None and context.get(ACTOR) is None:
            context.run(ACTOR.set, actor)
        task: asyncio.Task[T] = asyncio.Task(coro, loop=self, context=context)
        self.all_tasks.append(task)
        return task

    def go_on(self, actor: Actor) -> None:
        """Let a stopped actor run what it has missed, in order."""
        actor.state = State.RUNNING
        self._ready.extend(actor.kept)
        actor.kept.clear()

    def run_errand(self, work: Coroutine[Any, Any, object], context: Context) -> None:
        """Run something that needs no task: nobody waits for it, and nothing in it asks which task it is in."""
        Errand(self, work, context).go_on()

    def _run_once(self) -> None:
        """Run all there is to run: the loop is asked once, not for every round."""
        ready, timers, running = self._ready, self._timers, State.RUNNING
        while not self._stopping:
            if not ready or (timers and timers[0][0] <= self.now):
                self._take_what_is_due()
            for _ in range(len(ready)):
                call = ready.popleft()
                actor = call._context.get(ACTOR)
                if actor is not None and actor.state is not running:
                    actor.kept.append(call)
                elif not call._cancelled:
                    try:
                        call._context.run(call._callback, *call._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as failure:
                        self.call_exception_handler({"message": f"a call failed: {call!r}", "exception": failure})

    def _take_what_is_due(self) -> None:
        """Make ready what is due; where nothing is ready, the clock jumps."""
        timers = self._timers
        if not self._ready:
            while timers and timers[0][1]._cancelled:
                heapq.heappop(timers)
            if not timers:
                raise StandStill
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self._ready.append(heapq.heappop(timers)[1])

    def _process_events(self, event_list: Any) -> None:
        """There is no outside."""

    def _write_to_self(self) -> None:
        """There is no other thread."""

    async def end_all_tasks(self, actors: Iterable[Actor]) -> None:
        """End every task that is left, so that nothing of it is torn down at a random time later."""
        for actor in actors:
            self.go_on(actor)
        for errand in list(self.errands):
            errand.work.close()
        for _ in range(50):
            left = [task for task in self.all_tasks if not task.done() and task is not asyncio.current_task()]
            if not left:
                return
            for task in left:
                task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        raise RuntimeError(f"{len(left)} tasks do not end")
