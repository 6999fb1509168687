"""What comes late counts, in Postgres and in memory: successes after their lease, and calls that nobody ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from shared.saga import Looked, OnAmbiguous, Plan, Replayed, Routed
from shared.saga.deciding import PATIENCE_WITH_A_CLAIM
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import Command, Recorded
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, Stage, outcome

ACCEPTED, UNCLEAR = outcome(OutcomeKind.ACCEPTED), outcome(OutcomeKind.AMBIGUOUS)
UNTIL_IT_IS_ANNOUNCED_SECONDS = 31
DAY_SECONDS = timedelta(hours=24).total_seconds()


async def take_over(stage: Stage, command: Command) -> None:
    """Let the lease run out, and somebody else take it."""
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    await stage.claim(command)


async def lose(stage: Stage, command: Command) -> None:
    """Let so many leases run out that nobody calls again, and fold that."""
    for _ in range(3):
        await stage.turn_clock(LEASE_IS_OVER_SECONDS)
        last = await stage.claim(command)
    await stage.fold_attempt(command, last.token)


async def give_up(stage: Stage, command: Command) -> None:
    """Wait in vain until long after the expiry."""
    await stage.turn_clock(DAY_SECONDS + PATIENCE_WITH_A_CLAIM.total_seconds())
    await stage.fold(command.notification_id, Looked())


async def start_over(stage: Stage, command: Command) -> None:
    """Let a person replay what was given up, and route it."""
    await give_up(stage, command)
    await stage.fold(command.notification_id, Replayed(by="somebody", window_seconds=3600))
    await stage.fold(command.notification_id, Routed(plan=Plan(), wanted=(EMAIL,)))


@pytest.mark.parametrize("move_on", [take_over, lose, give_up, start_over])
async def test_a_success_that_finds_its_delivery_in_other_hands_is_announced_until_a_saga_knows_it(
    stage: Stage, move_on: Callable[[Stage, Command], Awaitable[None]]
) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    await move_on(stage, command)
    await stage.record(command, mine.token, ACCEPTED)

    announced = [await stage.store.sagas.late_successes(10)]
    for _ in range(2):
        await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)
        announced.append(await stage.store.sagas.late_successes(10))
        announced.append(await stage.store.sagas.late_successes(10))
    saga = await stage.fold_attempt(command, mine.token)
    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)
    announced.append(await stage.store.sagas.late_successes(10))

    assert [[late.result.token for late in each] for each in announced] == [[], [mine.token], [], [mine.token], [], []]
    (late,) = announced[1]
    assert (late.id, late.tenant, late.epoch) == (command.notification_id, TENANT, 0)
    assert (late.result.channel, late.result.attempt, late.result.epoch, late.result.succeeded) == (EMAIL, 1, 0, True)
    assert saga.status is NotificationStatus.SENT


async def test_a_success_in_time_or_a_late_failure_is_not_announced(stage: Stage) -> None:
    in_time, late = await stage.route(1), await stage.route(2)
    mine, lost = await stage.claim(in_time), await stage.claim(late)
    for _ in range(2):
        await stage.record(in_time, mine.token, ACCEPTED)
    await take_over(stage, late)
    await stage.record(late, lost.token, outcome(OutcomeKind.PERMANENT))

    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)

    assert await stage.store.sagas.late_successes(10) == []


async def test_of_a_set_only_the_successes_that_come_late_are_announced(stage: Stage) -> None:
    commands = [await stage.route(number) for number in range(4)]
    tokens = [(await stage.claim(command)).token for command in commands[:2]]
    for command in commands[:2]:
        await take_over(stage, command)
    tokens += [(await stage.claim(command)).token for command in commands[2:]]

    items = [
        Recorded(command=command, token=token, tenant=TENANT, outcome=ACCEPTED, took_seconds=0.1)
        for command, token in zip(commands, tokens, strict=True)
        if token is not None
    ]
    await stage.store.claims.record(EMAIL, items)
    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)

    announced = {late.result.token for late in await stage.store.sagas.late_successes(10)}
    assert (len(items), announced) == (4, set(tokens[:2]))


async def test_a_success_that_was_first_unclear_is_announced(stage: Stage) -> None:
    command = await stage.route(1, EMAIL, on_ambiguous=OnAmbiguous.HOLD)
    mine = await stage.claim(command)
    await stage.record(command, mine.token, UNCLEAR)
    unknown = await stage.fold_attempt(command, mine.token)

    await stage.record(command, mine.token, ACCEPTED)
    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)

    assert unknown.status is NotificationStatus.UNKNOWN
    assert [late.result.token for late in await stage.store.sagas.late_successes(10)] == [mine.token]


async def test_two_sweeps_at_once_announce_each_late_success_once_the_oldest_first(stage: Stage) -> None:
    tokens = []
    for number in range(4):
        command = await stage.route(number)
        mine = await stage.claim(command)
        await take_over(stage, command)
        await stage.record(command, mine.token, ACCEPTED)
        tokens.append(mine.token)
    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)

    (first,) = await stage.store.sagas.late_successes(1)
    others = await asyncio.gather(*[stage.store.sagas.late_successes(10) for _ in range(2)])

    found = [late.result.token for each in others for late in each]
    assert first.result.token == tokens[0]
    assert sorted(map(str, found)) == sorted(map(str, tokens[1:]))


async def test_a_late_success_that_somebody_folds_is_left_alone(stage: Stage) -> None:
    command = await stage.route()
    mine = await stage.claim(command)
    assert mine.token is not None
    await take_over(stage, command)
    await stage.record(command, mine.token, ACCEPTED)
    await stage.turn_clock(UNTIL_IT_IS_ANNOUNCED_SECONDS)

    async with stage.store.sagas.transaction() as sagas, asyncio.timeout(5):
        await sagas.attempts([(command.notification_id, mine.token)])
        meanwhile = await stage.store.sagas.late_successes(10)

    assert (meanwhile, await stage.store.sagas.late_successes(10)) == ([], [])


async def test_an_attempt_that_nobody_came_back_from_is_recorded_as_ambiguous_when_it_is_given_up(stage: Stage) -> None:
    command = await stage.route()
    await stage.claim(command)
    await stage.turn_clock(DAY_SECONDS + 1)
    while_it_is_waited_for = await stage.fold(command.notification_id, Looked())
    attempts_until_then = await stage.attempts(command.notification_id)

    await stage.turn_clock(PATIENCE_WITH_A_CLAIM.total_seconds())
    saga = await stage.fold(command.notification_id, Looked())
    await stage.fold(command.notification_id, Looked())

    assert (while_it_is_waited_for.status, attempts_until_then) == (NotificationStatus.QUEUED, [])
    assert saga.status is NotificationStatus.UNKNOWN
    assert (await stage.delivery(command.notification_id)).status is DeliveryStatus.UNKNOWN
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)]
