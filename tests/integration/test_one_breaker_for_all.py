"""One breaker for every process: three sets of steps, each with its own connections and memory, on one Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared.broker import Message
from shared.outcomes import Letter, Outcome
from shared.statuses import OutcomeKind
from shared.store import Store
from shared.store.breakers import FAILURES_TO_OPEN, OPEN_SECONDS, BreakerState
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World

PROCESSES = 3
DOWN = Outcome(kind=OutcomeKind.TRANSIENT, code="timeout", provider="scripted", provider_at_fault=True)


class OneProvider(ScriptedProvider):
    """A provider that is down, or refuses, until it is well."""

    ailment: Outcome | OutcomeKind | None = DOWN

    async def send(self, letter: Letter) -> Outcome:
        """Answer as it is."""
        self.answers = [self.ailment] if self.ailment else []
        return await super().send(letter)


class House:
    """Processes that share a database, a provider, and what waits in the queues. Delayed messages the sweep brings."""

    def __init__(self, stores: list[Store]) -> None:
        self.provider = OneProvider()
        self.processes = [World(store, email=self.provider) for store in stores]
        self.first = self.processes[0]
        self.idle = 0

    async def post(self, count: int) -> None:
        """Post notifications and route them; their commands wait."""
        for number in range(count):
            await self.first.post(f"order-{number}")

    async def work(self) -> None:
        """Let the processes share what waits, all at the same time, until nothing is left."""
        for _ in range(60):
            waiting = [message for process in self.processes for message in _waiting(process)]
            if not waiting:
                return
            shares = [waiting[number::PROCESSES] for number in range(PROCESSES)]
            self.idle = 0
            both = zip(self.processes, shares, strict=True)
            await asyncio.gather(*[self._hand(process, share) for process, share in both])
        raise AssertionError("the messages go round in circles")

    async def _hand(self, process: World, share: list[Message]) -> None:
        for queue in dict.fromkeys(message.queue for message in share):
            await process.hand([message for message in share if message.queue == queue])
        self.idle += 1

    async def pass_time(self, seconds: float) -> None:
        """Let time pass for all of them, and sweep."""
        await self.first.turn_clock(seconds)
        for process in self.processes[1:]:
            process.restart()
        await self.first.sweep()

    async def breaker(self) -> BreakerState:
        """Read the breaker."""
        return (await self.first.store.breakers.read(TENANT, "scripted")).state

    async def statuses(self) -> dict[str, int]:
        """Count the notifications by status."""
        return await self.first.store.views.counts(TENANT)


def _waiting(process: World) -> list[Message]:
    process._collect()
    taken, process.ready, process.later = process.ready, [], []
    return taken


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(PROCESSES):
            store = Store(database_url)
            await store.open()
            stack.push_async_callback(store.close)
            stores.append(store)
        house = House(stores)
        await house.first.settle_in({"channels": ["email"]})
        yield house


async def test_five_failures_silence_all_and_one_probe_lets_everything_go(house: House) -> None:
    await house.post(30)
    for _ in range(10):
        if await house.breaker() is BreakerState.OPEN:
            break
        await house.work()
        await house.pass_time(3)
    failed = len(house.provider.letters)

    await house.work()
    await house.pass_time(OPEN_SECONDS / 2)
    await house.work()
    in_the_silence = len(house.provider.letters) - failed
    house.provider.ailment = None
    house.provider.gate = asyncio.Event()
    await house.pass_time(OPEN_SECONDS / 2 + 1)
    house.idle = 0
    working = asyncio.create_task(house.work())
    async with asyncio.timeout(20):
        # The others have asked, and were told to wait; the one that probes has reached the provider.
        while house.idle < PROCESSES - 1 or len(house.provider.letters) == failed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    while_probing = len(house.provider.letters) - failed
    state_while_probing = await house.breaker()
    house.provider.gate.set()
    await working
    for _ in range(10):
        await house.pass_time(20)
        await house.work()

    assert failed >= FAILURES_TO_OPEN
    assert (in_the_silence, while_probing, state_while_probing) == (0, 1, BreakerState.HALF_OPEN)
    assert (await house.statuses(), await house.breaker()) == ({"sent": 30}, BreakerState.CLOSED)
    assert await house.first.dead_letters() == []


async def test_fifty_refusals_of_recipients_in_a_row_open_nothing(house: House) -> None:
    house.provider.ailment = OutcomeKind.PERMANENT
    await house.post(50)
    await house.work()
    refused, state = len(house.provider.letters), await house.breaker()

    house.provider.ailment = None
    await house.first.post("one-more")
    await house.work()

    assert (refused, state) == (50, BreakerState.CLOSED)
    assert await house.statuses() == {"failed": 50, "sent": 1}
