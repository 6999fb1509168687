"""What is begun at a provider, and what is not when this process was stopped right before it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.outcomes import Letter, Outcome
from shared.statuses import Channel, OutcomeKind
from shared.step.calling import call_set
from tests.fakes import ScriptedProvider

STOPPED_SECONDS = 200.0


class Clock:
    """The loop's clock, of a process that can be stopped."""

    def __init__(self) -> None:
        self.now = asyncio.get_running_loop().time()

    def __call__(self) -> float:
        """Read it."""
        return self.now


class StoppedMeanwhile(ScriptedProvider):
    """A provider at whose first call this process is stopped for a while."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(deadline_seconds=20)
        self._clock = clock

    async def send(self, letter: Letter) -> Outcome:
        """Let time pass at the first."""
        if not self.letters:
            self._clock.now += STOPPED_SECONDS
        return await super().send(letter)


def letter(number: int) -> Letter:
    return Letter(
        notification_id=UUID(int=number),
        tenant="default",
        user_id="1",
        channel=Channel.EMAIL,
        address="ada@example.test",
        subject="",
        text="",
        idempotency_key=UUID(int=number),
    )


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Put a clock that can be turned into the loop of the test."""
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock)
    return clock


async def told_of(provider: ScriptedProvider, count: int, begin_until: float) -> dict[int, OutcomeKind | None]:
    """Call for so many letters; return what was told of each."""
    told: list[tuple[int, OutcomeKind | None]] = []

    def tell(ended: Sequence[tuple[int, Outcome | None]]) -> None:
        told.extend((place, outcome.kind if outcome else None) for place, outcome in ended)

    await call_set(provider, [letter(number) for number in range(count)], tell, begin_until)
    assert len(told) == count
    return dict(told)


async def test_what_was_not_begun_when_a_process_was_stopped_is_not_begun_when_it_goes_on(clock: Clock) -> None:
    provider = StoppedMeanwhile(clock)

    told = await told_of(provider, 3, begin_until=clock.now + 40)

    assert told == {0: OutcomeKind.ACCEPTED, 1: None, 2: None}
    assert [one.notification_id.int for one in provider.letters] == [0]


async def test_a_stop_that_leaves_enough_of_the_lease_holds_up_no_call(clock: Clock) -> None:
    provider = StoppedMeanwhile(clock)

    told = await told_of(provider, 3, begin_until=clock.now + STOPPED_SECONDS)

    assert told == dict.fromkeys(range(3), OutcomeKind.ACCEPTED)
