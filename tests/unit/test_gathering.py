from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from shared.events import Event, EventType
from shared.step.answers import DONE, LATER, Told
from shared.step.gathering import Gathering
from shared.step.handed import Parcel


def event(name: str) -> Event:
    return Event(id=name, source="/tests", type=EventType.DELIVERY_REQUESTED)


class Sets:
    """A frame that answers what is not slow at once, and the rest when it is let."""

    def __init__(self, *slow: str) -> None:
        self.slow, self.may_end = set(slow), asyncio.Event()
        self.taken: list[list[str]] = []

    async def take(self, parcels: Sequence[Parcel], told: Told | None = None) -> list[int]:
        """Take a set."""
        assert told is not None
        names = [parcel.id for parcel in parcels if isinstance(parcel, Event)]
        self.taken.append(names)
        told([(place, DONE) for place, name in enumerate(names) if name not in self.slow])
        if self.slow & set(names):
            await self.may_end.wait()
        return [LATER if name in self.slow else DONE for name in names]


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_together_is_taken_as_one_set_and_each_has_its_own_answer() -> None:
    frame = Sets("b")
    frame.may_end.set()
    gathering = Gathering(frame)

    assert await asyncio.gather(*[gathering.take(event(name)) for name in "abc"]) == [DONE, LATER, DONE]
    assert await gathering.take(event("d")) == DONE
    assert frame.taken == [["a", "b", "c"], ["d"]]


async def test_a_slow_event_holds_up_no_other_answer_and_no_other_set() -> None:
    frame = Sets("slow")
    gathering = Gathering(frame)
    slow, quick = [asyncio.create_task(gathering.take(event(name))) for name in ("slow", "quick")]
    await turns()

    assert (slow.done(), quick.done()) == (False, True)
    assert await gathering.take(event("next")) == DONE
    frame.may_end.set()
    assert await slow == LATER


async def test_whoever_stops_waiting_stops_nobody_elses_work() -> None:
    frame = Sets("a", "b")
    gathering = Gathering(frame)
    leaves, stays = [asyncio.create_task(gathering.take(event(name))) for name in "ab"]
    await turns()

    leaves.cancel()
    await turns()
    frame.may_end.set()

    assert await stays == LATER
    assert leaves.cancelled()


async def test_a_frame_that_breaks_leaves_nobody_without_an_answer() -> None:
    class Broken:
        async def take(self, parcels: Sequence[Parcel], told: Told | None = None) -> list[int]:
            raise RuntimeError("a bug")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)

    async with asyncio.timeout(5):
        assert await Gathering(Broken()).take(event("a")) == LATER


@pytest.mark.parametrize("count", [1, 300])
async def test_none_is_lost_however_many_come_at_once(count: int) -> None:
    gathering = Gathering(Sets())

    answers = await asyncio.gather(*[gathering.take(event(str(number))) for number in range(count)])

    assert answers == [DONE] * count
