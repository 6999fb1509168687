"""A command that meets an open breaker, over both stores: it comes again when its row is due."""

from __future__ import annotations

from shared.broker.topology import delay_for
from shared.step.answers import DONE
from shared.store.breakers import FAILURES_TO_OPEN
from tests.contract.framed import event_for, frame_around
from tests.contract.stage import EMAIL, TENANT, Stage
from tests.fakes import HoldingBroker, ScriptedProvider

OPEN_SECONDS = 60


async def open_its_breaker(stage: Stage, provider: ScriptedProvider) -> None:
    for _ in range(FAILURES_TO_OPEN):
        await stage.store.breakers.fail(TENANT, provider.name, None)


async def test_it_waits_for_the_breaker_and_its_provider_is_not_called(stage: Stage) -> None:
    provider, broker = ScriptedProvider(), HoldingBroker()
    frame = frame_around(provider, stage, broker)
    command = await stage.route()
    await open_its_breaker(stage, provider)

    answers = await frame.take([event_for(command)])

    (again,) = broker.published
    left = (await stage.claim(command)).remaining_seconds
    assert (answers, provider.letters) == ([DONE], [])
    assert OPEN_SECONDS - 5 < left <= 1.1 * OPEN_SECONDS
    assert again.delay_seconds == delay_for(left)
    await frame.drain()


async def test_what_waits_already_comes_when_it_is_due_and_not_when_the_breaker_may_close(stage: Stage) -> None:
    provider, broker = ScriptedProvider(), HoldingBroker()
    frame = frame_around(provider, stage, broker)
    command = await stage.route()
    await stage.store.claims.postpone(EMAIL, command, seconds=20, why="a breaker before this one")
    await open_its_breaker(stage, provider)

    await frame.take([event_for(command)])

    (again,) = broker.published
    assert again.delay_seconds == 15
    assert again.wait is not None
    assert 15 < again.wait.seconds <= 20
    assert (await stage.claim(command)).remaining_seconds <= 20
    await frame.drain()
