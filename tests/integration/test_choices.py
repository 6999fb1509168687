"""Why a message went by another provider than its first: to be read in its attempts."""

from __future__ import annotations

import pytest

from shared.outcomes import Line, Outcome
from shared.statuses import OutcomeKind
from shared.store import Store
from shared.store.breakers import FAILURES_TO_OPEN
from tests.fakes import ScriptedProvider
from tests.world import EMAIL, TENANT, World

AT_FAULT = Outcome(kind=OutcomeKind.TRANSIENT, code="timeout", provider="first", provider_at_fault=True)
BUG = RuntimeError("a bug")


async def choices(world: World) -> set[tuple[str, str]]:
    """Read which providers were called, and why."""
    rows = await world.store.database.fetch("SELECT provider, choice FROM attempts")
    return {(row[0], row[1]) for row in rows}


async def world_of(store: Store, first: ScriptedProvider, second: ScriptedProvider) -> World:
    """Open a world in which nearly everything goes to the first."""
    lines = [Line(provider=first, weight=1_000_000), Line(provider=second)]
    return await World(store, email=lines).settle_in({"channels": ["email"]})


@pytest.mark.parametrize("answer", [OutcomeKind.ACCEPTED, OutcomeKind.PERMANENT, OutcomeKind.AMBIGUOUS, BUG])
async def test_an_attempt_tells_that_the_breaker_of_the_first_provider_is_open(
    store: Store, answer: OutcomeKind | Exception
) -> None:
    world = await world_of(store, ScriptedProvider(name="first"), ScriptedProvider(answer, name="second"))
    for _ in range(FAILURES_TO_OPEN):
        await store.breakers.fail(TENANT, "first", None)

    await world.post()
    await world.deliver_everything()

    assert await choices(world) == {("second", "first is out: its breaker is open")}


async def test_an_attempt_tells_that_the_first_provider_has_just_failed(store: Store) -> None:
    first, second = ScriptedProvider(AT_FAULT, AT_FAULT, name="first"), ScriptedProvider(name="second")
    world = await world_of(store, first, second)
    for number in range(12):
        await world.post(f"order-{number}")
        await world.deliver_everything()

    told = await choices(world)

    assert ("second", "first failed twice in a row") in told
    assert ("first", "") in told
    assert {provider for provider, choice in told if not choice} == {"first"}


async def test_what_was_withheld_went_to_nobody_and_tells_of_no_choice(store: Store) -> None:
    world = await world_of(store, ScriptedProvider(name="first"), ScriptedProvider(name="second"))
    for _ in range(FAILURES_TO_OPEN):
        await store.breakers.fail(TENANT, "first", None)
    notification = await world.post_routed()
    await store.directory.put_preference(TENANT, "1", "*", EMAIL, enabled=False)

    await world.deliver_everything()

    assert await choices(world) == {("carillon", "")}
    assert await world.outcomes(notification) == ["permanent"]
