"""One of two providers fails often and sometimes hangs: every notification is sent all the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from shared.outcomes import Letter, Line, Outcome
from shared.statuses import OutcomeKind
from shared.store import Store
from tests.fakes import ScriptedProvider
from tests.world import World

NOTIFICATIONS = 120
FAILS, HANGS = 0.3, 0.1
DEADLINE_SECONDS = 0.05


class Flaky(ScriptedProvider):
    """A provider that fails three times in ten, and hangs once in ten."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="flaky", deadline_seconds=DEADLINE_SECONDS)
        self._random = Random(seed)
        self.fates: Counter[str] = Counter()

    async def send(self, letter: Letter) -> Outcome:
        """Accept, fail or hang."""
        drawn = self._random.random()
        fate = "fails" if drawn < FAILS else "hangs" if drawn < FAILS + HANGS else "accepts"
        self.fates[fate] += 1
        if fate == "hangs":
            await asyncio.Event().wait()
        if fate == "fails":
            return Outcome(kind=OutcomeKind.TRANSIENT, code="503", provider=self.name, provider_at_fault=True)
        return await super().send(letter)


async def test_all_are_sent_while_one_of_two_providers_fails_and_hangs(store: Store) -> None:
    flaky, steady = Flaky(seed=7), ScriptedProvider(name="steady")
    world = World(store, email=[Line(provider=flaky), Line(provider=steady)])
    await world.settle_in({"channels": ["email"]})
    keys = [await world.post(f"order-{number}") for number in range(NOTIFICATIONS)]

    await world.live_on()

    assert {await world.status_of(key) for key in keys} == {"sent"}
    outcomes = [await world.outcomes(key) for key in keys]
    assert {each[-1] for each in outcomes} == {"accepted"}
    assert {len(each) for each in outcomes} <= {1, 2, 3, 4}
    assert flaky.fates["fails"] >= 2
    assert len(steady.letters) > flaky.fates["accepts"]
    assert await world.dead_letters() == []
