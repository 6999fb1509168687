"""The virtual clock, and processes that are stopped or killed in it."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.loop import Actor, StandStill, State, VirtualLoop


class Clockwork:
    """An actor that notes the time every second, and that it has ended."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop, self.actor = loop, Actor("clockwork")
        self.noted: list[float] = []
        loop.call_soon(self._start, context=self.actor.context)

    def _start(self) -> None:
        self.task = asyncio.ensure_future(self._tick())

    async def _tick(self) -> None:
        try:
            while True:
                await asyncio.sleep(1)
                self.noted.append(self.loop.time())
        finally:
            self.noted.append(-1)


@pytest.fixture
def loop() -> VirtualLoop:
    return VirtualLoop()


def test_a_day_passes_at_once(loop: VirtualLoop) -> None:
    loop.run_until_complete(asyncio.sleep(86_400))
    loop.close()

    assert loop.time() == 86_400


def test_what_a_stopped_process_missed_it_does_when_it_goes_on(loop: VirtualLoop) -> None:
    async def live() -> list[float]:
        clockwork = Clockwork(loop)
        await asyncio.sleep(2.5)
        clockwork.actor.state = State.STOPPED
        await asyncio.sleep(10)
        while_stopped = list(clockwork.noted)
        loop.go_on(clockwork.actor)
        await asyncio.sleep(1.6)
        assert while_stopped == [1, 2]
        await loop.end_all_tasks([])
        return clockwork.noted

    noted = loop.run_until_complete(live())
    loop.close()

    assert noted == [1, 2, 12.5, 13.5, -1]


def test_a_dead_process_does_nothing_more_not_even_what_it_would_do_at_its_end(loop: VirtualLoop) -> None:
    async def live() -> list[float]:
        clockwork = Clockwork(loop)
        await asyncio.sleep(1.5)
        clockwork.actor.state = State.DEAD
        clockwork.task.cancel()
        await asyncio.sleep(10)
        noted = list(clockwork.noted)
        await loop.end_all_tasks([clockwork.actor])
        return noted

    noted = loop.run_until_complete(live())
    loop.close()

    assert noted == [1]


def test_a_loop_in_which_nothing_can_happen_any_more_says_so(loop: VirtualLoop) -> None:
    async def wait_for_ever() -> None:
        await loop.create_future()

    waiting = loop.create_task(wait_for_ever())

    with pytest.raises(StandStill):
        loop.run_until_complete(waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(waiting)
    loop.close()


def test_a_call_that_fails_is_noted_and_the_others_are_made(loop: VirtualLoop) -> None:
    made: list[str] = []

    async def live() -> None:
        loop.call_soon(lambda: 1 / 0)
        loop.call_soon(made.append, "soon")
        loop.call_later(2, made.append, "later")
        loop.call_later(1, made.append, "never").cancel()
        await asyncio.sleep(3)

    loop.run_until_complete(live())
    loop.close()

    assert made == ["soon", "later"]
    assert [type(failure["exception"]) for failure in loop.failures] == [ZeroDivisionError]
