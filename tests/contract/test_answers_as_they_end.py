"""Letters from the hands of the frame to their answers, over both stores: a slow one among others, and a late one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.broker.topology import RESULTS
from shared.events import EventType, decode
from shared.outcomes import Letter, Outcome, Tell
from shared.statuses import DeliveryStatus, OutcomeKind
from shared.store.breakers import FAILURES_TO_OPEN, BreakerState
from shared.store.claims import LEASE_SECONDS
from tests.contract.framed import event_for, frame_around
from tests.contract.stage import TENANT, Stage
from tests.fakes import HoldingBroker

DONE = 204


class OneByOne:
    """A provider that takes every letter at once, but keeps one in hand until told to let go."""

    name, deadline_seconds, calls_at_once = "mail", 20.0, 100

    def __init__(self, slow: UUID) -> None:
        self.slow, self.may_end = slow, asyncio.Event()

    async def send(self, letter: Letter) -> Outcome:
        """Take one."""
        if letter.notification_id == self.slow:
            await self.may_end.wait()
        return Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider=self.name)

    async def close(self) -> None:
        """Nothing is held."""


class BySet(OneByOne):
    """The same, for a provider that is handed the whole set."""

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Take each, and tell of it."""

        async def take(place: int, letter: Letter) -> None:
            tell([(place, await self.send(letter))])

        await asyncio.gather(*[take(place, letter) for place, letter in enumerate(letters)])


class Answers:
    """What the frame told, by place."""

    def __init__(self) -> None:
        self.given: dict[int, int] = {}
        self._news = asyncio.Event()

    def __call__(self, answers: Sequence[tuple[int, int]]) -> None:
        self.given.update(answers)
        self._news.set()

    async def until(self, count: int) -> None:
        """Wait for so many."""
        async with asyncio.timeout(20):
            while len(self.given) < count:
                self._news.clear()
                await self._news.wait()


def announced(broker: HoldingBroker) -> set[UUID | None]:
    """Name the notifications whose success was announced."""
    found = [decode(message.body) for message in broker.published if message.queue == RESULTS]
    return {event.data.notification_id for event in found if event.type is EventType.DELIVERY_SUCCEEDED}


@pytest.mark.parametrize("kind", [OneByOne, BySet])
async def test_a_slow_letter_does_not_hold_up_the_results_of_its_set_mates(stage: Stage, kind: type[OneByOne]) -> None:
    commands = [await stage.route(number) for number in (1, 2, 3)]
    first, slow, last = [command.notification_id for command in commands]
    provider, broker, answers = kind(slow), HoldingBroker(), Answers()
    frame = frame_around(provider, stage, broker)

    taking = asyncio.create_task(frame.take([event_for(command) for command in commands], answers))
    await answers.until(2)
    meanwhile = dict(answers.given), announced(broker), taking.done()
    recorded = [await stage.attempts(key) for key in (first, slow, last)]
    provider.may_end.set()
    in_the_end = await taking
    await frame.drain()

    assert meanwhile == ({0: DONE, 2: DONE}, {first, last}, False)
    assert recorded == [[("accepted", False)], [], [("accepted", False)]]
    assert in_the_end == [DONE] * 3
    assert announced(broker) == {first, slow, last}


class CutOff(OneByOne):
    """A provider whose one connection is cut with the whole set on it."""

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Lose every letter at once."""
        lost = Outcome(kind=OutcomeKind.AMBIGUOUS, code="lost", provider=self.name, provider_at_fault=True)
        tell([(place, lost) for place in range(len(letters))])


async def test_one_cut_is_one_failure_of_its_provider_however_many_letters_it_hits(stage: Stage) -> None:
    commands = [await stage.route(number) for number in range(1, FAILURES_TO_OPEN + 2)]
    frame = frame_around(CutOff(slow=UUID(int=0)), stage, HoldingBroker())

    answers = await frame.take([event_for(command) for command in commands])
    await frame.drain()

    assert answers == [DONE] * len(commands)
    breaker = await stage.store.breakers.read(TENANT, CutOff.name)
    assert (breaker.state, breaker.failures) == (BreakerState.CLOSED, 1)


@pytest.mark.parametrize("kind", [OneByOne, BySet])
async def test_a_call_that_could_outlast_its_lease_is_not_begun_alone_or_in_a_set(
    stage: Stage, kind: type[OneByOne]
) -> None:
    command = await stage.route()
    provider, broker = kind(slow=UUID(int=0)), HoldingBroker()
    provider.deadline_seconds = LEASE_SECONDS + 1
    frame = frame_around(provider, stage, broker)

    answers = await frame.take([event_for(command)])
    await frame.drain()

    assert answers == [DONE]
    assert await stage.attempts(command.notification_id) == []
    assert (await stage.delivery(command.notification_id)).status is DeliveryStatus.QUEUED
    assert [decode(message.body).type for message in broker.published] == [EventType.DELIVERY_REQUESTED]
