"""What needs a person is kept once, and started over once."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID, uuid4

import pytest

from shared.outcomes import Outcome
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.claims import Recorded
from tests.fakes import ScriptedProvider
from tests.world import TENANT, World, claims_of, first_command

GARBAGE = b"\xff\x00 no event"
REFUSED = Outcome(kind=OutcomeKind.PERMANENT, code="550", reason="the mailbox does not exist", provider="scripted")


@pytest.fixture
async def world(store: Store) -> World:
    world = World(store, email=ScriptedProvider(*[REFUSED] * 10))
    return await world.settle_in({"channels": ["email"]})


async def failed(world: World, key: str = "order-1") -> tuple[UUID, UUID]:
    """Let a notification fail; return it and its dead letter."""
    notification = await world.post(key)
    await world.deliver_everything()
    letters = [letter for letter in await world.dead_letters() if letter["notification_id"] == str(notification)]
    return notification, UUID(letters[0]["id"])


async def test_bytes_that_no_step_can_read_are_kept_as_they_came_and_once(store: Store) -> None:
    for _ in range(3):
        await store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", GARBAGE)

    (letter,) = await store.dead_letters.listing(TENANT)
    assert base64.b64decode(letter["body_base64"]) == GARBAGE
    assert (letter["kind"], letter["step"], letter["reason"]) == ("garbage", "orchestrate", "no JSON")


async def test_ten_who_keep_the_same_bytes_at_once_keep_them_once(store: Store) -> None:
    await asyncio.gather(
        *[store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", GARBAGE) for _ in range(10)]
    )

    assert len(await store.dead_letters.listing(TENANT)) == 1


async def test_what_failed_is_a_dead_letter_with_the_reason(world: World) -> None:
    notification, letter = await failed(world)

    document = await world.store.dead_letters.get(TENANT, letter)

    assert document is not None
    assert (document["kind"], document["epoch"], document["step"]) == ("notification", 0, "compensate")
    assert document["notification_id"] == str(notification)
    assert document["reason"] == "the mailbox does not exist"


async def test_another_tenant_neither_sees_nor_replays_it(world: World) -> None:
    _, letter = await failed(world)

    assert await world.store.dead_letters.get("other", letter) is None
    assert await world.store.dead_letters.listing("other") == []
    assert await world.store.dead_letters.replay("other", letter, by="somebody") is None


async def test_ten_clicks_at_once_start_it_over_once(world: World) -> None:
    notification, letter = await failed(world)

    clicks = await asyncio.gather(*[world.store.dead_letters.replay(TENANT, letter, by="somebody") for _ in range(10)])

    started = [saga for saga in clicks if saga is not None]
    assert [(saga.epoch, saga.status) for saga in started] == [(1, NotificationStatus.PENDING)]
    assert (await world.document(notification))["epoch"] == 1
    assert [row["id"] for row in await world.dead_letters("replayed")] == [str(letter)]


async def test_a_replay_that_fails_again_is_a_dead_letter_of_its_own(world: World) -> None:
    notification, letter = await failed(world)

    await world.store.dead_letters.replay(TENANT, letter, by="somebody")
    await world.hand([world.accepted(notification, epoch=1)])
    await world.deliver_everything()

    (again,) = await world.dead_letters()
    assert (again["notification_id"], again["epoch"]) == (str(notification), 1)
    assert again["id"] != str(letter)


async def test_bytes_cannot_be_started_over(store: Store) -> None:
    kept = await store.dead_letters.keep_bytes("garbage", "orchestrate", "no JSON", GARBAGE)

    assert await store.dead_letters.replay(TENANT, kept.id, by="somebody") is None
    assert len(await store.dead_letters.listing(TENANT)) == 1


async def test_nobody_replays_what_does_not_exist(store: Store) -> None:
    assert await store.dead_letters.replay(TENANT, uuid4(), by="somebody") is None


async def test_a_late_success_settles_the_dead_letter(world: World) -> None:
    world.mail.answers = [OutcomeKind.TRANSIENT] * 4
    command = first_command(await world.post_routed())
    (lost,) = claims_of(await world.store.claims.claim(Channel.EMAIL, [command]))
    await world.let_leases_run_out()
    await world.live_on()
    failed_first = await world.status_of(command.notification_id)

    assert lost.token is not None
    late = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")
    recorded = Recorded(command=command, token=lost.token, tenant=TENANT, outcome=late, took_seconds=90)
    await world.store.claims.record(Channel.EMAIL, [recorded])
    await world.hand([world.result(command, lost.token)])

    assert failed_first is NotificationStatus.FAILED
    assert await world.status_of(command.notification_id) is NotificationStatus.SENT
    assert await world.dead_letters() == []
    assert len(await world.dead_letters("resolved")) == 1


async def test_a_failure_of_a_step_is_counted_for_each_step_and_event(store: Store) -> None:
    asked = [("a", "1"), ("a", "1"), ("a", "2"), ("b", "1"), ("a", "1")]

    counts = [await store.dead_letters.count_failure(step, event) for step, event in asked]

    assert counts == [1, 2, 1, 1, 3]
