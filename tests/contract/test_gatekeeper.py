"""The gatekeeper of one process between two looks at the breaker, over Postgres and over the store in memory."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from shared.errors import DatabaseUnavailable
from shared.outcomes import Outcome
from shared.statuses import OutcomeKind
from shared.step.breaking import Gatekeeper
from shared.store.breakers import FAILURES_TO_OPEN, BreakerState
from tests.contract.stage import TENANT, Stage

PROVIDER = "mail"
AT_FAULT = Outcome(kind=OutcomeKind.TRANSIENT, code="timeout", provider=PROVIDER, provider_at_fault=True)
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider=PROVIDER)


async def tell(keeper: Gatekeeper, outcomes: Sequence[Outcome], tenant: str = TENANT) -> None:
    """Tell of outcomes as a deliver step does: only those that matter, and without asking in between."""
    for outcome in outcomes:
        if keeper.wants_to_hear(tenant, outcome, None):
            await keeper.note(tenant, outcome, None)


async def state(stage: Stage) -> tuple[BreakerState, int]:
    breaker = await stage.store.breakers.read(TENANT, PROVIDER)
    return breaker.state, breaker.failures


async def test_failures_with_successes_in_between_never_open_it(stage: Stage) -> None:
    keeper = Gatekeeper(stage.store.breakers, PROVIDER)
    await keeper.ask(TENANT, uuid4())

    await tell(keeper, [AT_FAULT, ACCEPTED] * (2 * FAILURES_TO_OPEN))

    assert await state(stage) == (BreakerState.CLOSED, 0)


async def test_failures_in_a_row_open_it_without_a_look_in_between(stage: Stage) -> None:
    keeper = Gatekeeper(stage.store.breakers, PROVIDER)
    await tell(keeper, [AT_FAULT, ACCEPTED, *[AT_FAULT] * (FAILURES_TO_OPEN - 1)])
    one_too_few = await state(stage)

    await tell(keeper, [AT_FAULT])

    assert one_too_few == (BreakerState.CLOSED, FAILURES_TO_OPEN - 1)
    assert await state(stage) == (BreakerState.OPEN, FAILURES_TO_OPEN)


async def test_the_success_of_another_tenant_ends_no_run_of_failures(stage: Stage) -> None:
    keeper = Gatekeeper(stage.store.breakers, PROVIDER)

    for _ in range(FAILURES_TO_OPEN):
        await tell(keeper, [AT_FAULT])
        await tell(keeper, [ACCEPTED], "another")

    assert await state(stage) == (BreakerState.OPEN, FAILURES_TO_OPEN)
    assert not keeper.wants_to_hear("another", ACCEPTED, None)


async def test_after_one_success_that_was_told_the_next_are_not(stage: Stage) -> None:
    keeper = Gatekeeper(stage.store.breakers, PROVIDER)
    await tell(keeper, [AT_FAULT])
    before = keeper.wants_to_hear(TENANT, ACCEPTED, None)

    await tell(keeper, [ACCEPTED])

    assert (before, keeper.wants_to_hear(TENANT, ACCEPTED, None)) == (True, False)


async def test_a_success_that_could_not_be_told_is_told_by_the_next_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_tenant: str, _provider: str, _token: UUID | None) -> None:
        raise DatabaseUnavailable("away")

    keeper = Gatekeeper(stage.store.breakers, PROVIDER)
    await tell(keeper, [AT_FAULT])
    with monkeypatch.context() as patch:
        patch.setattr(stage.store.breakers, "succeed", away)
        with pytest.raises(DatabaseUnavailable):
            await tell(keeper, [ACCEPTED])

    await tell(keeper, [ACCEPTED])

    assert await state(stage) == (BreakerState.CLOSED, 0)
