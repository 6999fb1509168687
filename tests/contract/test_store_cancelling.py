"""Claims on what was called back: no store hands one out, real or in memory."""

from __future__ import annotations

import pytest

from shared.saga import Cancelled, Compensated
from shared.statuses import DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import Verdict
from tests.contract.stage import EMAIL, LEASE_IS_OVER_SECONDS, TENANT, WEBSOCKET, Stage, outcome

N, D = NotificationStatus, DeliveryStatus
REGRET = Cancelled(by="the caller")


async def test_who_called_it_back_is_kept_and_shown(stage: Stage) -> None:
    command = await stage.route()
    await stage.claim(command)

    await stage.fold(command.notification_id, REGRET)

    saga, document = (
        await stage.saga(command.notification_id),
        await stage.store.views.notification(TENANT, command.notification_id),
    )
    assert (saga.status, saga.cancelled_by) == (N.QUEUED, "the caller")
    assert document is not None
    assert document["cancelled_by"] == "the caller"


async def test_what_was_called_off_is_not_claimed(stage: Stage) -> None:
    command = await stage.route()
    await stage.fold(command.notification_id, REGRET)

    claim = await stage.claim(command)

    assert (claim.verdict, (await stage.saga(command.notification_id)).status) == (Verdict.STALE, N.CANCELLED)


async def test_a_lost_lease_is_recorded_as_ambiguous_and_not_taken_over(stage: Stage) -> None:
    command = await stage.route()
    first = await stage.claim(command)
    await stage.fold(command.notification_id, REGRET)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)

    claim = await stage.claim(command)
    saga = await stage.fold_attempt(command, claim.token)

    assert (claim.verdict, claim.token, claim.outcome) == (Verdict.RECORDED, first.token, "ambiguous")
    assert await stage.attempts(command.notification_id) == [("ambiguous", True)]
    assert saga.status is N.COMPENSATING


async def test_what_is_given_back_is_not_handed_out_again_and_the_saga_must_look(stage: Stage) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    await stage.fold(command.notification_id, REGRET)
    assert claim.token is not None
    await stage.store.claims.give_back(EMAIL, [(command, claim.token)])

    again = await stage.claim(command)

    assert again.verdict is Verdict.EXPIRED
    assert (await stage.delivery(command.notification_id)).status is D.QUEUED


async def test_an_outcome_is_recorded_all_the_same_and_ends_it(stage: Stage) -> None:
    command = await stage.route(1, EMAIL, WEBSOCKET)
    claim = await stage.claim(command)
    await stage.fold(command.notification_id, REGRET)

    await stage.record(command, claim.token, outcome(OutcomeKind.TRANSIENT))
    saga = await stage.fold_attempt(command, claim.token)

    assert (saga.status, [d.status for d in saga.deliveries]) == (N.CANCELLED, [D.CANCELLED])
    assert await stage.next_look_in(command.notification_id) is None


@pytest.mark.parametrize("turn", ["late success", "compensated"])
async def test_it_goes_back_into_compensation_and_ends_again_as_the_tables_allow(stage: Stage, turn: str) -> None:
    command = await stage.route()
    claim = await stage.claim(command)
    key = command.notification_id
    await stage.fold(key, REGRET)
    await stage.turn_clock(LEASE_IS_OVER_SECONDS)
    lost = await stage.claim(command)
    await stage.fold_attempt(command, lost.token)
    await stage.fold(key, Compensated(not_undone={EMAIL: "nobody knows"}))
    await stage.record(command, claim.token, outcome(OutcomeKind.ACCEPTED))

    saga = await stage.fold_attempt(command, claim.token)
    if turn == "compensated":
        saga = await stage.fold(key, Compensated(not_undone={EMAIL: "it cannot"}))

    assert saga.status is (N.CANCELLED if turn == "compensated" else N.COMPENSATING)
