"""Between a process and its neighbours: every effect takes time on the way there and on the way back.

Here is where things go wrong. An effect may be refused; it may be done while its process is told that it was not; the
process may be killed or stopped before it, or after it and before the answer. What is on its way when its process dies
arrives all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import DatabaseUnavailable
from tests.simulation.loop import State

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

T = TypeVar("T")


class Fate(StrEnum):
    """What becomes of one effect."""

    DONE = "done"
    REFUSED = "refused"  # not done, and said so
    UNKNOWN = "unknown"  # done, and said to have failed


class Blow(StrEnum):
    """What befalls the process around one effect."""

    NOTHING = "nothing"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    STOPPED_BEFORE = "stopped before"
    STOPPED_AFTER = "stopped after"


class Wire:
    """The connections of one process."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self._process = process

    async def call(self, what: str, values: tuple[Any, ...], work: Callable[[], Awaitable[T]]) -> T:
        """Have an effect done, and wait for its answer. What befalls a process is drawn here.

        Raises:
            DatabaseUnavailable: the store did not do it, or was said not to have done it.
        """
        world, process = self.world, self._process
        blow = world.chaos.blow(process, what)
        if blow in (Blow.KILLED_BEFORE, Blow.STOPPED_BEFORE):
            self._strike(blow, what, values)
        if process.actor.state is not State.RUNNING:
            await asyncio.sleep(0)  # the loop keeps its code until it may go on
        if world.is_over:
            raise asyncio.CancelledError
        fate = world.chaos.fate(process, what)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        done = partial(self._do, what, values, work, fate, blow, answer)
        world.after(world.latency(), lambda: world.loop.run_errand(done(), world.context))
        result = await answer
        world.watch.told(process, what, values, result)
        return result

    def send(self, what: str, values: tuple[Any, ...], work: Callable[[], None]) -> None:
        """Have an effect done without waiting for anything."""
        world, process = self.world, self._process
        if world.is_over or process.actor.state is State.DEAD:
            return
        blow = world.chaos.blow(process, what)
        if blow is Blow.KILLED_BEFORE:
            process.die(f"killed before {what}", values)
            return
        world.after(world.latency(), lambda: self._arrive(what, values, work, blow))

    def _arrive(self, what: str, values: tuple[Any, ...], work: Callable[[], None], blow: Blow) -> None:
        self.world.tell(self._process.name, what, values, Fate.DONE, None, None)
        work()
        if blow is not Blow.NOTHING:
            self._strike(blow, what, values)

    def _strike(self, blow: Blow, what: str, values: tuple[Any, ...]) -> None:
        if blow in (Blow.KILLED_BEFORE, Blow.KILLED_AFTER):
            self._process.die(f"{blow} {what}", values)
        elif blow in (Blow.STOPPED_BEFORE, Blow.STOPPED_AFTER):
            self._process.stop_for_a_while(f"{blow} {what}", values)

    async def _do(
        self,
        what: str,
        values: tuple[Any, ...],
        work: Callable[[], Awaitable[T]],
        fate: Fate,
        blow: Blow,
        answer: asyncio.Future[T],
    ) -> None:
        """Do it in the world, where no process has a say any more, and send the answer back."""
        world = self.world
        failure: Exception | None = None
        result: T | None = None
        if fate is Fate.REFUSED:
            failure = DatabaseUnavailable("simulated")
        else:
            try:
                result = await work()
            except Exception as raised:
                failure = raised
        said = None if failure is None else str(failure)  # the exception itself would keep the world alive
        world.tell(self._process.name, what, values, fate, said, result)
        if failure is None:
            world.watch.done(self._process, what, values, result)
        if fate is Fate.UNKNOWN and failure is None:
            failure = DatabaseUnavailable("simulated: the answer was lost")
        if blow in (Blow.KILLED_AFTER, Blow.STOPPED_AFTER):
            self._strike(blow, what, values)
        world.after(world.latency(), lambda: answer_with(answer, result, failure))


def answer_with(answer: asyncio.Future[T], result: T | None, failure: Exception | None) -> None:
    """Let who waits go on, unless it has left."""
    if answer.done():
        return
    if failure is not None:
        answer.set_exception(failure)
    else:
        answer.set_result(result)  # type: ignore[arg-type]
