"""An event that prefers Telegram, by the real steps and over HTTP, to the chat of its person."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from infrastructure.sandbox.behaviours import Behaviour, chat_for
from infrastructure.sandbox.telegram import GROUP, PAUSE_SECONDS, SUPERGROUP
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from shared.store.directory import User
from tests.contract.bot_api import CHAT, Stage, client, sandbox
from tests.world import TENANT, USER, World, lines

TELEGRAM = Channel.TELEGRAM
SENT = NotificationStatus.SENT


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with sandbox() as stage:
        yield stage


@pytest.fixture
async def world(store: Store, stage: Stage) -> AsyncIterator[World]:
    """Open a world with one person in it, who has a chat."""
    async with client(stage.url) as provider:
        yield await reached_by(World(store, telegram=provider), CHAT)


async def reached_by(world: World, chat: str) -> World:
    await world.settle_in({"channels": ["telegram"]})
    await world.store.directory.put_users(TENANT, [User(id=USER, telegram=chat)])
    return world


async def test_an_event_that_prefers_telegram_is_in_the_chat_and_sent(world: World, stage: Stage) -> None:
    notification = await world.post(prefers=TELEGRAM)

    await world.deliver_everything()

    assert await world.status_of(notification) is SENT
    assert stage.texts() == ["Order shipped\n\nYour order is on its way."]
    assert await world.outcomes(notification) == ["accepted"]


async def test_a_pause_is_kept_to_the_second_and_costs_no_try(world: World, stage: Stage) -> None:
    stage.script(Behaviour.THROTTLED)
    notification = await world.post()
    await world.deliver_everything()

    await world.turn_clock(PAUSE_SECONDS - 1)
    await world.deliver_everything()
    called_early = len(stage.room.calls)
    await world.turn_clock(3)
    await world.sweep()
    await world.deliver_everything()

    assert called_early == 1
    assert (len(stage.room.calls), stage.texts()) == (2, ["Order shipped\n\nYour order is on its way."])
    assert await world.status_of(notification) is SENT
    assert await world.value("tries", notification, TELEGRAM) == 1


async def test_a_person_who_blocks_the_bot_is_asked_once_and_never_again(world: World, stage: Stage) -> None:
    await reached_by(world, chat_for(Behaviour.BLOCKED))
    first = await world.post("order-1")
    await world.deliver_everything()

    second = await world.post("order-2")
    await world.deliver_everything()

    assert await world.status_of(first) is NotificationStatus.FAILED
    assert await world.status_of(second) is NotificationStatus.SKIPPED
    assert len(stage.room.calls) == 1


async def test_a_person_who_has_not_written_to_the_bot_yet_is_asked_again_next_time(world: World, stage: Stage) -> None:
    await reached_by(world, CHAT)
    stage.script(Behaviour.REFUSED)
    await world.post("order-1")
    await world.deliver_everything()

    second = await world.post("order-2")
    await world.deliver_everything()

    assert await world.status_of(second) is SENT


async def test_a_group_that_has_moved_is_found_at_its_new_place_from_then_on(world: World, stage: Stage) -> None:
    await reached_by(world, GROUP)
    for key in ("order-1", "order-2"):
        await world.post(key)
        await world.deliver_everything()

    user = await world.store.directory.user(TENANT, USER)

    assert user is not None
    assert user.telegram == SUPERGROUP
    assert list(stage.room.calls) == [GROUP, SUPERGROUP, SUPERGROUP]


async def test_an_answer_that_is_lost_is_ambiguous_and_the_second_send_is_recorded(world: World, stage: Stage) -> None:
    stage.script(Behaviour.CUT)
    notification = await world.post()

    await world.live_on(seconds=3)

    assert await world.outcomes(notification) == ["ambiguous", "accepted"]
    assert len(stage.texts()) == 2
    assert len(lines(await world.document(notification), "ambiguous")) == 1
