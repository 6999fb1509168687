"""Several providers of one channel, over both stores: who takes over, when, and how it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.outcomes import Letter, Line, Outcome, Tell
from shared.statuses import DeliveryStatus, OutcomeKind
from shared.step import Frame
from shared.step.choosing import TRIALS
from shared.step.lines import draw
from shared.store.breakers import FAILURES_TO_OPEN, OPEN_SECONDS, BreakerState
from shared.store.claims import Command
from tests.contract.framed import event_for, frame_around
from tests.contract.stage import TENANT, Stage
from tests.fakes import HoldingBroker, ScriptedProvider

DONE = 204
AT_FAULT = Outcome(kind=OutcomeKind.TRANSIENT, code="timeout", provider="first", provider_at_fault=True)


class Clock:
    """The clock of the process, turned without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self.ahead, real = 0.0, loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)


class TakesTime(ScriptedProvider):
    """A provider that takes a set of letters, and so much time for it."""

    clock: Clock
    seconds = 0.0

    async def send_set(self, letters: Sequence[Letter], tell: Tell) -> None:
        """Answer when the time has passed."""
        self.clock.ahead += self.seconds
        tell([(place, await self.send(letter)) for place, letter in enumerate(letters)])


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Pair:
    """Two providers of one channel in their step, the first with three times the share of the second."""

    def __init__(self, stage: Stage, first: ScriptedProvider, second: ScriptedProvider) -> None:
        self.stage, self.first, self.second = stage, first, second
        lines = [Line(provider=first, weight=3), Line(provider=second)]
        self.frame: Frame = frame_around(lines, stage, HoldingBroker())
        self.commands: list[Command] = []

    async def send(self, count: int) -> tuple[list[UUID], list[UUID]]:
        """Deliver so many as one set; return which notifications each provider was called for."""
        known = len(self.first.letters), len(self.second.letters)
        commands = [await self.stage.route(len(self.commands) + number) for number in range(count)]
        self.commands += commands
        assert await self.frame.take([event_for(command) for command in commands]) == [DONE] * count
        return _ids(self.first.letters[known[0] :]), _ids(self.second.letters[known[1] :])


async def one_by_one(both: Pair, count: int) -> list[UUID]:
    """Deliver one after the other, so that one's time is not another's; return what the first was called for."""
    return [key for _ in range(count) for key in (await both.send(1))[0]]


def are_trials(keys: Sequence[UUID]) -> bool:
    """Tell whether all are of the few that go to a provider in trouble, so that its recovery is seen."""
    return all(draw(key, "first 1") <= TRIALS for key in keys)


def _ids(letters: Sequence[Letter]) -> list[UUID]:
    return [letter.notification_id for letter in letters]


def pair(stage: Stage, *answers: Outcome, calls_at_once: int = 100) -> Pair:
    first = ScriptedProvider(*answers, name="first")
    first.calls_at_once = calls_at_once
    return Pair(stage, first, ScriptedProvider(name="second"))


async def test_each_of_a_set_goes_to_the_provider_that_is_its_first(stage: Stage) -> None:
    both = pair(stage)

    first, second = await both.send(40)

    assert len(first) + len(second) == 40
    assert len(first) > len(second) > 0


async def test_five_failures_move_the_rest_of_the_same_set_to_the_second_provider(stage: Stage) -> None:
    both = pair(stage, *[AT_FAULT] * 100, calls_at_once=FAILURES_TO_OPEN)

    first, second = await both.send(40)
    later = await both.send(20)

    assert len(first) < 2 * FAILURES_TO_OPEN
    assert are_trials(first[FAILURES_TO_OPEN:])
    assert len(first) + len(second) == 40
    assert (await stage.store.breakers.read(TENANT, "first")).state is BreakerState.OPEN
    assert (len(later[0]), len(later[1])) == (0, 20)


async def test_two_failures_move_nearly_all_traffic_before_any_breaker_opens(stage: Stage) -> None:
    both = pair(stage, AT_FAULT, AT_FAULT, calls_at_once=1)
    while both.first.answers:
        await both.send(1)

    first, second = await both.send(40)

    assert are_trials(first)
    assert len(second) > 30
    assert (await stage.store.breakers.read(TENANT, "first")).state is BreakerState.CLOSED


async def test_one_probe_brings_the_traffic_back(stage: Stage, clock: Clock) -> None:
    both = pair(stage, *[AT_FAULT] * FAILURES_TO_OPEN, calls_at_once=FAILURES_TO_OPEN)
    await both.send(20)
    both.first.answers.clear()
    clock.ahead += OPEN_SECONDS + 1
    await stage.turn_clock(OPEN_SECONDS + 1)

    while_probing, meanwhile = await both.send(20)
    afterwards, _ = await both.send(20)

    assert (len(while_probing), len(meanwhile)) == (1, 19)
    assert len(afterwards) > 10


async def test_a_slow_provider_gives_way_and_gets_its_share_back_when_it_is_fast_again(
    stage: Stage, clock: Clock
) -> None:
    slow = TakesTime(name="first")
    slow.clock = clock
    both = Pair(stage, slow, ScriptedProvider(name="second"))
    before = await one_by_one(both, 20)
    slow.seconds = 4.2
    await one_by_one(both, 20)

    while_slow = await one_by_one(both, 20)
    slow.seconds = 0
    await one_by_one(both, 100)
    afterwards = await one_by_one(both, 20)

    assert len(before) > 10
    assert are_trials(while_slow)
    assert len(afterwards) > 10


async def test_with_every_breaker_open_all_wait_for_the_first_to_end_and_use_up_no_try(stage: Stage) -> None:
    both = pair(stage)
    for provider in ("first", "second"):
        for _ in range(FAILURES_TO_OPEN):
            await stage.store.breakers.fail(TENANT, provider, None)
        await stage.turn_clock(20)

    called = await both.send(3)

    assert called == ([], [])
    for command in both.commands:
        waiting = await stage.delivery(command.notification_id)
        assert (waiting.status, waiting.tries) == (DeliveryStatus.DEFERRED, 0)
        assert waiting.reason == "the breaker of first is open"


async def test_a_provider_in_trouble_is_better_than_one_whose_breaker_is_open(stage: Stage, clock: Clock) -> None:
    both = pair(stage, AT_FAULT, AT_FAULT)
    while both.first.answers:
        await both.send(1)
    for _ in range(FAILURES_TO_OPEN):
        await stage.store.breakers.fail(TENANT, "second", None)
    clock.ahead += 2  # so old may be what a process knows of a breaker

    first, second = await both.send(20)

    assert (len(first), len(second)) == (20, 0)


async def test_where_all_are_in_trouble_each_has_its_share_as_if_none_were(stage: Stage) -> None:
    both = pair(stage, *[AT_FAULT] * FAILURES_TO_OPEN)
    both.second.answers = [AT_FAULT] * FAILURES_TO_OPEN
    while min(len(both.first.letters), len(both.second.letters)) < 2:
        await both.send(1)
    both.first.answers, both.second.answers = [], []

    first, second = await both.send(20)

    assert len(first) > len(second) > 0
