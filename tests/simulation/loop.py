"""An event loop whose clock jumps to the next timer when there is nothing to do, and that can stop a process.

Every callback belongs to the actor in whose context it was made. What belongs to a dead actor is never run again, as
after a kill -9: not even a `finally`. What belongs to a stopped one is kept, and runs when it goes on.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Coroutine, Generator, Iterable
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
        self.kept: deque[asyncio.Handle] = deque()


ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)


class StandStill(Exception):
    """Nothing is left to happen, and the end was not reached."""


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without a world outside."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._scheduled: list[asyncio.TimerHandle] = []
        self.all_tasks: list[asyncio.Task[Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        """Read the virtual clock, in seconds since the beginning."""
        return self._now

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

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled
        if not ready:
            while timers and timers[0].cancelled():
                heapq.heappop(timers)._scheduled = False  # type: ignore[attr-defined]
            if not timers:
                raise StandStill
            self._now = max(self._now, timers[0].when())
        while timers and timers[0].when() <= self._now:
            handle = heapq.heappop(timers)
            handle._scheduled = False  # type: ignore[attr-defined]
            ready.append(handle)
        for _ in range(len(ready)):
            self._run_or_keep(ready.popleft())

    def _run_or_keep(self, handle: asyncio.Handle) -> None:
        actor = handle._context.get(ACTOR)  # type: ignore[attr-defined]
        if actor is not None and actor.state is not State.RUNNING:
            actor.kept.append(handle)
        elif not handle.cancelled():
            handle._run()

    def _process_events(self, event_list: Any) -> None:
        """There is no outside."""

    def _write_to_self(self) -> None:
        """There is no other thread."""

    async def end_all_tasks(self, actors: Iterable[Actor]) -> None:
        """End every task that is left, so that nothing of it is torn down at a random time later."""
        for actor in actors:
            self.go_on(actor)
        for _ in range(50):
            left = [task for task in self.all_tasks if not task.done() and task is not asyncio.current_task()]
            if not left:
                return
            for task in left:
                task.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
        raise RuntimeError(f"{len(left)} tasks do not end")
