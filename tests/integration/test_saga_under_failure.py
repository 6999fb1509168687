"""What goes wrong between the steps, and what must come out all the same."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from shared.broker.topology import COMPENSATIONS, EVENTS, RESULTS, commands
from shared.outcomes import Outcome
from shared.statuses import TERMINAL, Channel, NotificationStatus, OutcomeKind
from shared.step.frame import POISON_LIMIT
from shared.store import Store
from shared.store.claims import Recorded
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World, first_command

SENT, FAILED = NotificationStatus.SENT, NotificationStatus.FAILED
TRANSIENT, PERMANENT = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT
EMAIL = commands(Channel.EMAIL)
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")
STEPS_TO_FAILURE = [EVENTS, EMAIL, RESULTS, commands(Channel.WEBSOCKET), RESULTS, COMPENSATIONS]
"""The queues that a notification passes when both of its channels refuse it."""


FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'serialization_failure'; END $$
"""
"""As a deferred trigger: the statements succeed, and their COMMIT does not."""


async def doomed(store: Store) -> World:
    """Open a world in which both channels refuse for good."""
    mail, inbox = ScriptedProvider(*[PERMANENT] * 5), ScriptedProvider(*[PERMANENT] * 5)
    return await World(store, email=mail, websocket=inbox).settle_in()


@pytest.fixture
async def another_store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(database_url)
    await opened.open()
    yield opened
    await opened.close()


async def crash_before_publishing_at(world: World, stage: int) -> tuple[UUID, str]:
    """Let a step commit and publish nothing; return the notification, and the id of what it could not publish."""
    notification = await world.post()
    for _ in range(stage):
        await world.deliver_next()
    world.broker.refuses = True
    message = await world.deliver_next()
    world.broker.refuses = False
    assert message is not None
    assert message.queue == STEPS_TO_FAILURE[stage]
    (refused,) = world.broker.refused
    return notification, refused.id


async def assert_it_failed_once(world: World, notification: UUID) -> None:
    assert await world.status_of(notification) is FAILED
    assert (len(world.mail.letters), await world.outcomes(notification)) == (1, ["permanent", "permanent"])
    assert len(await world.dead_letters()) == 1


@pytest.mark.parametrize("stage", range(6))
async def test_a_step_that_dies_before_it_publishes_says_the_same_when_its_message_comes_again(
    store: Store, stage: int
) -> None:
    world = await doomed(store)
    notification, unsaid = await crash_before_publishing_at(world, stage)
    assert unsaid not in [message.id for message in world.broker.published]

    await world.deliver_everything()

    assert [message.id for message in world.broker.published].count(unsaid) == 1
    await assert_it_failed_once(world, notification)
    assert len(world.parked) == 1


@pytest.mark.parametrize("stage", range(5))
async def test_a_step_that_dies_before_it_publishes_is_spoken_for_by_the_sweep(store: Store, stage: int) -> None:
    world = await doomed(store)
    notification, unsaid = await crash_before_publishing_at(world, stage)
    world.lose_messages()

    await world.turn_clock(61)
    await world.sweep()

    assert unsaid in [message.id for message in world.broker.published]
    await world.deliver_everything()
    await assert_it_failed_once(world, notification)


@pytest.mark.parametrize("stage", range(6))
async def test_what_could_not_be_committed_is_not_announced_and_comes_again(
    store: Store, stage: int
) -> None:
    table = "attempts" if STEPS_TO_FAILURE[stage] not in (EVENTS, RESULTS, COMPENSATIONS) else "notifications"
    world = await doomed(store)
    notification = await world.post()
    for _ in range(stage):
        await world.deliver_next()
    said = len(world.broker.published)
    await store.database.run(FAIL_AT_COMMIT)
    await store.database.run(
        f"CREATE CONSTRAINT TRIGGER commits_fail AFTER INSERT OR UPDATE ON {table}"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit()"
    )

    message = await world.deliver_next()
    said_meanwhile = len(world.broker.published) - said
    await store.database.run(f"DROP TRIGGER commits_fail ON {table}")
    await world.live_on()

    assert message is not None
    assert (message.queue, said_meanwhile) == (STEPS_TO_FAILURE[stage], 0)
    assert await world.status_of(notification) is FAILED
    assert len(await world.dead_letters()) == 1


async def test_what_ingest_could_not_announce_is_announced_by_the_sweep(world: World) -> None:
    world.broker.refuses = True
    notification = await world.post()
    world.broker.refuses = False
    (unsaid,) = world.broker.refused

    await world.turn_clock(31)
    await world.sweep()
    await world.deliver_everything()

    assert unsaid.id in [message.id for message in world.broker.published]
    assert await world.status_of(notification) is SENT


async def test_what_the_sweep_could_not_publish_it_publishes_next_time(world: World) -> None:
    notification = await world.post()
    world.lose_messages()
    world.broker.refuses = True
    await world.turn_clock(31)
    await world.sweep()
    world.broker.refuses = False

    await world.live_on()

    assert await world.status_of(notification) is SENT


@pytest.mark.parametrize("stage", range(15))
async def test_a_broker_that_loses_everything_at_any_moment_changes_nothing(store: Store, stage: int) -> None:
    mail = ScriptedProvider(TRANSIENT, TRANSIENT, PERMANENT)
    inbox = ScriptedProvider(TRANSIENT, PERMANENT)
    world = await World(store, email=mail, websocket=inbox).settle_in()
    notification = await world.post()
    for _ in range(stage):
        if await world.deliver_next() is None:
            await world.turn_clock(9)

    world.lose_messages()
    await world.live_on()

    assert await world.status_of(notification) is FAILED
    assert await world.outcomes(notification) == ["transient", "transient", "permanent", "transient", "permanent"]
    assert (len(mail.letters), len(inbox.letters)) == (3, 2)
    assert len(await world.dead_letters()) == 1


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
    (claim,) = await world.store.claims.claim(Channel.EMAIL, [first_command(mine)])
    assert claim.token is not None
    item = Recorded(
        command=first_command(mine), token=claim.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=0.1
    )
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
    (zombie,) = await store.claims.claim(Channel.EMAIL, [command])
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


async def test_an_event_that_breaks_its_step_ten_times_is_buried_and_its_neighbours_are_unharmed(world: World) -> None:
    poison, good, better = [await world.post(f"order-{number}") for number in range(3)]
    await spoil(world, poison)
    together = [world.accepted(key) for key in (good, poison, better)]

    answers = [await world.hand(together) for _ in range(POISON_LIMIT)]

    assert answers == [[204, 503, 204]] * (POISON_LIMIT - 1) + [[204, 204, 204]]
    (letter,) = await world.dead_letters()
    assert letter["kind"] == "internal"
    assert base64.b64decode(letter["body_base64"]) == together[1].body
    world.lose_messages()
    await world.hand([world.accepted(good), world.accepted(better)])
    await world.deliver_everything()
    assert (await world.status_of(good), await world.status_of(better)) == (SENT, SENT)


async def test_an_event_that_is_buried_and_comes_again_is_one_dead_letter(world: World) -> None:
    poison = await world.post()
    await spoil(world, poison)

    answers = [await world.hand([world.accepted(poison)]) for _ in range(POISON_LIMIT + 5)]

    assert answers[POISON_LIMIT - 1 :] == [[204]] * 6
    assert len(await world.dead_letters()) == 1


async def spoil(world: World, notification: UUID) -> None:
    """Write into a row what this version cannot read."""
    await world.store.database.run(
        """UPDATE notifications SET plan = '{"steps": ["pigeon"]}' WHERE id = %s""", (notification,)
    )


async def test_failures_of_our_own_never_bury_an_event(world: World) -> None:
    notification = await world.post()
    world.broker.refuses = True

    answers = [await world.hand([world.accepted(notification)]) for _ in range(POISON_LIMIT + 2)]

    assert answers == [[503]] * (POISON_LIMIT + 2)
    assert await world.dead_letters() == []


@pytest.mark.parametrize("stage", range(6))
async def test_while_the_database_is_away_a_step_asks_for_patience_and_nothing_is_lost(
    store: Store, another_store: Store, stage: int
) -> None:
    world = await doomed(store)
    cut_off = World(another_store, email=world.email, websocket=world.websocket)
    await another_store.close()
    notification = await world.post()
    for _ in range(stage):
        await world.deliver_next()
    world.copy_messages()
    calls = len(world.mail.letters)

    answers = await cut_off.hand(world.ready[:1])
    calls_meanwhile = len(world.mail.letters) - calls
    await world.deliver_everything()

    assert (answers, calls_meanwhile) == ([503], 0)
    assert cut_off.broker.published == []
    await assert_it_failed_once(world, notification)


async def test_a_sweep_without_a_database_asks_for_patience(another_store: Store) -> None:
    world = World(another_store)
    await another_store.close()

    assert await world.sweep() == 503


async def test_an_outcome_that_could_not_be_recorded_is_an_ambiguous_attempt_not_a_lost_one(
    store: Store, another_store: Store
) -> None:
    world = await World(store).settle_in()
    world.mail.gate = asyncio.Event()
    cut_off = World(another_store, email=world.email)
    notification = await world.post_routed()
    world.copy_messages()
    command = world.ready[0]

    call = asyncio.create_task(cut_off.hand([command]))
    async with asyncio.timeout(10):
        while not world.mail.letters:  # noqa: ASYNC110 - the call is in another task
            await asyncio.sleep(0.01)
    await another_store.close()
    world.mail.gate.set()
    answers = await call
    await world.live_on()

    assert answers == [503]
    assert await world.outcomes(notification) == ["ambiguous", "accepted"]
    assert await world.status_of(notification) is SENT
    first, second = world.mail.letters
    assert first.idempotency_key == second.idempotency_key


async def test_every_notification_ends_whatever_the_providers_and_the_broker_do(store: Store) -> None:
    chance = random.Random(11)
    kinds = [*OutcomeKind]
    mail, inbox = (ScriptedProvider(*[chance.choice(kinds) for _ in range(200)]) for _ in range(2))
    world = await World(store, email=mail, websocket=inbox).settle_in()
    keys = [await world.post(f"order-{number}") for number in range(12)]

    for _ in range(12):
        world.broker.refuses = chance.random() < 0.3
        await world.deliver_everything()
        if chance.random() < 0.3:
            world.lose_messages()
        await world.turn_clock(chance.choice([1, 5, 20, 70]))
        await world.sweep()
    world.broker.refuses = False
    await world.live_on(seconds=120, rounds=100)

    assert all([await world.status_of(key) in TERMINAL for key in keys])
    for key in keys:
        outcomes = await world.outcomes(key)
        assert outcomes.count("accepted") == (await world.status_of(key) is SENT)
