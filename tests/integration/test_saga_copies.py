"""Messages that come twice, late, or from nobody we know."""

from __future__ import annotations

import asyncio
import random
from uuid import uuid4

import pytest

from shared.broker.topology import EVENTS, RESULTS, commands
from shared.outcomes import Outcome
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.claims import Recorded
from tests.fakes import ScriptedProvider
from tests.world import STEPS_TO_FAILURE, TENANT, World, assert_it_failed_once, claims_of, doomed, first_command

SENT, TRANSIENT = NotificationStatus.SENT, OutcomeKind.TRANSIENT
EMAIL = commands(Channel.EMAIL)
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")


async def test_everything_redelivered_at_the_end_changes_nothing(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(TRANSIENT)).settle_in()
    notification = await world.post()
    await world.live_on()
    before = await world.document(notification)

    await world.redeliver_everything()
    await world.deliver_everything()

    assert len(world.mail.letters) == 2
    assert await world.document(notification) == before


async def test_everything_redelivered_after_every_step_changes_nothing(store: Store) -> None:
    world = await doomed(store)
    notification = await world.post()

    for _ in range(3 * len(STEPS_TO_FAILURE)):
        await world.deliver_next()
        await world.redeliver_everything()
    await world.deliver_everything()

    await assert_it_failed_once(world, notification)


@pytest.mark.parametrize("stage", range(6))
async def test_every_message_twice_in_one_set_does_its_work_once(store: Store, stage: int) -> None:
    world = await doomed(store)
    notification = await world.post()

    for _ in range(stage):
        await world.deliver_next()
    world.copy_messages()
    await world.deliver_everything()

    await assert_it_failed_once(world, notification)


@pytest.mark.parametrize("stage", range(6))
async def test_every_message_in_two_processes_at_once_does_its_work_once(
    store: Store, another_store: Store, stage: int
) -> None:
    one = await doomed(store)
    other = World(another_store, email=one.email, websocket=one.websocket)
    notification = await one.post()
    for _ in range(stage):
        await one.deliver_next()
    one.copy_messages()
    (message, _) = one.ready

    await asyncio.gather(one.hand([message]), other.hand([message]))
    one.lose_messages()
    said = {m.id for m in one.broker.published + other.broker.published}
    await other.deliver_everything()
    await one.live_on(seconds=61)

    assert len(said) == stage + 2  # the announcement, and one message of each step: copies have the same ids
    await assert_it_failed_once(one, notification)


async def test_two_orchestrators_at_once_on_the_same_set_ask_for_the_same_attempts(
    store: Store, another_store: Store
) -> None:
    one = await World(store).settle_in()
    other = World(another_store, email=one.email)
    keys = [await one.post(f"order-{number}") for number in range(40)]
    forth = [one.accepted(key) for key in keys]

    answers = await asyncio.gather(one.hand(forth), other.hand(forth[::-1]), one.hand(forth[::-1]), other.hand(forth))
    one.lose_messages()
    one.ready = [m for m in one.broker.published + other.broker.published if m.queue == EMAIL]
    random.Random(3).shuffle(one.ready)
    await one.deliver_everything()

    assert [answer for each in answers for answer in each] == [204] * 160
    assert len(one.mail.letters) == 40
    assert await store.views.counts(TENANT) == {"sent": 40}


async def test_a_forged_result_moves_nothing(world: World) -> None:
    notification = await world.post_routed()
    command = first_command(notification)
    await world.store.claims.claim(Channel.EMAIL, [command])
    before = await world.document(notification)

    answers = await world.hand([world.result(command, uuid4())])

    assert answers == [204]
    assert await world.document(notification) == before
    assert b"carillon_results_unfounded_total 1.0" in world.resources.metrics.render()


async def test_a_result_moves_no_other_notification_than_its_own(world: World) -> None:
    mine, other = [await world.post_routed(f"order-{number}") for number in range(2)]
    (claim,) = claims_of(await world.store.claims.claim(Channel.EMAIL, [first_command(mine)]))
    assert claim.token is not None
    item = Recorded(command=first_command(mine), token=claim.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=0.1)
    await world.store.claims.record(Channel.EMAIL, [item])

    await world.hand([world.result(first_command(other), claim.token)])

    assert await world.status_of(other) is NotificationStatus.QUEUED


async def test_a_result_that_lies_about_its_outcome_is_not_believed(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(TRANSIENT)).settle_in()
    notification = await world.post_routed()
    await world.deliver_queue(EMAIL)
    token = await world.value("token", notification)

    await world.hand([world.result(first_command(notification), token, succeeded=True)])

    assert await world.value("status", notification) == "retrying"


async def test_a_late_failure_of_an_older_attempt_is_ignored(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(TRANSIENT)).settle_in()
    notification = await world.post_routed()
    await world.deliver_queue(EMAIL)
    old = await world.value("token", notification)
    await world.deliver_everything()
    await store.database.run("UPDATE deliveries SET due_at = NULL")
    await store.claims.claim(Channel.EMAIL, [first_command(notification, attempt=2)])
    before = await world.document(notification)

    await world.hand([world.result(first_command(notification), old, succeeded=False)])

    assert await world.document(notification) == before


async def test_a_late_success_wins_and_cancels_what_is_pending(store: Store) -> None:
    world = await World(store, email=ScriptedProvider(TRANSIENT)).settle_in()
    command = first_command(await world.post_routed())
    (zombie,) = claims_of(await store.claims.claim(Channel.EMAIL, [command]))
    assert zombie.token is not None
    await world.let_leases_run_out()
    await world.deliver_everything()
    retrying = await world.value("status", command.notification_id)

    item = Recorded(command=command, token=zombie.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=70)
    await store.claims.record(Channel.EMAIL, [item])
    await world.hand([world.result(command, zombie.token)])
    await world.turn_clock(10)
    await world.deliver_everything()

    assert retrying == "retrying"
    assert await world.status_of(command.notification_id) is SENT
    assert len(world.mail.letters) == 1


async def test_a_copy_that_comes_together_with_news_of_another_channel_still_says_what_it_owes(store: Store) -> None:
    world = World(store, email=ScriptedProvider(TRANSIENT))
    await world.settle_in({"channels": ["email", "websocket"], "strategy": "all"})
    notification = await world.post()
    await world.deliver_queue(EVENTS)
    await world.deliver_queue(EMAIL)
    (failure,) = [message for message in world.broker.published if message.queue == RESULTS]
    await world.hand([failure])
    await world.deliver_queue(commands(Channel.WEBSOCKET))
    success = [message for message in world.broker.published if message.queue == RESULTS][-1]
    world.lose_messages()  # the process died before it published the retry

    await world.hand([failure, success])
    await world.turn_clock(5)
    await world.deliver_everything()

    assert await world.outcomes(notification) == ["transient", "accepted", "accepted"]
    assert await world.status_of(notification) is SENT
