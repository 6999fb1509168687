"""What breaks between the steps, and what must come out all the same."""

from __future__ import annotations

import asyncio
import base64
import random
from uuid import UUID

import pytest

from shared.broker.topology import commands
from shared.statuses import TERMINAL, Channel, NotificationStatus, OutcomeKind
from shared.step.frame import POISON_LIMIT
from shared.store import Store
from tests.fakes import ScriptedProvider
from tests.world import STEPS_TO_FAILURE, World, assert_it_failed_once, doomed

SENT, FAILED = NotificationStatus.SENT, NotificationStatus.FAILED
TRANSIENT, PERMANENT = OutcomeKind.TRANSIENT, OutcomeKind.PERMANENT
COMMANDS = (commands(Channel.EMAIL), commands(Channel.WEBSOCKET))
FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'serialization_failure'; END $$
"""
"""As a deferred trigger: the statements succeed, and their COMMIT does not."""


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
async def test_what_could_not_be_committed_is_not_announced_and_comes_again(store: Store, stage: int) -> None:
    table = "attempts" if STEPS_TO_FAILURE[stage] in COMMANDS else "notifications"
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


async def test_who_asks_again_is_heard_while_nobody_has_begun(world: World) -> None:
    world.broker.refuses = True
    notification = await world.post()
    world.broker.refuses = False

    again = await world.post()
    await world.deliver_everything()
    said = len(world.broker.published)
    once_more = await world.post()

    assert again == once_more == notification
    assert await world.status_of(notification) is SENT
    assert len(world.broker.published) == said


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
