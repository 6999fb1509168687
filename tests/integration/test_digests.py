"""Digests over the real store: many events, one message, whatever goes wrong on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from functions.sweep import digesting
from shared.statuses import OutcomeKind
from shared.store import Store
from shared.store.sagas import SagaSet
from tests.contract.stage import order
from tests.fakes import ScriptedProvider
from tests.world import EMAIL, TENANT, USER, World, lines

HOURLY: dict[str, Any] = {"channels": ["email"], "digest": {"every": 3600}}


async def digests_of(world: World) -> list[UUID]:
    """List the notifications that carry a digest, oldest first."""
    rows = await world.store.database.fetch("SELECT id FROM notifications WHERE is_digest ORDER BY created_at")
    return [row[0] for row in rows]


async def statuses(world: World, keys: list[UUID]) -> set[str]:
    return {str(await world.status_of(key)) for key in keys}


async def collected(world: World, *names: str, **more: Any) -> list[UUID]:
    """Post events and let them be collected."""
    keys = [await world.post(name, **more) for name in names]
    await world.deliver_everything()
    return keys


def messages_in(text: str) -> list[str]:
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]


def said(text: str) -> dict[str, Any]:
    return {"data": {"message": text}}


async def test_events_of_a_window_are_one_message_and_end_with_it(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    keys = [key for text in ("one", "two", "three") for key in await collected(world, text, **said(text))]
    waiting, calls = await statuses(world, keys), len(world.mail.letters)

    await world.live_on(seconds=1900)

    (letter,) = world.mail.letters
    assert (waiting, calls) == ({"scheduled"}, 0)
    assert letter.subject == "Order shipped: 3"
    assert messages_in(letter.text) == ["one", "two", "three"]
    assert await statuses(world, keys) == {"sent"}


async def test_a_member_names_its_digest_and_the_digest_its_count(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    first, second = await collected(world, "one", "two")
    await world.live_on(seconds=1900)

    (digest,) = await digests_of(world)
    document, member = await world.document(digest), await world.document(first)

    assert (document["digest_id"], document["digest_count"], document["status"]) == (None, 2, "sent")
    assert (member["digest_id"], member["digest_count"]) == (str(digest), None)
    assert lines(member, "collected")[0]["detail"] == {"digest_id": str(digest)}
    assert [line["what"] for line in (await world.document(second))["timeline"]] == [
        "accepted",
        "collected",
        "gathered",
        "sent",
    ]


async def test_without_an_open_window_a_new_one_opens_and_each_is_one_message(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    await collected(world, "one", **said("one"))
    await world.live_on(seconds=1900)
    await collected(world, "two", **said("two"))
    await world.live_on(seconds=1900)

    assert [messages_in(letter.text) for letter in world.mail.letters] == [["one"], ["two"]]


async def test_fields_of_the_data_keep_digests_apart(store: Store) -> None:
    world = await World(store).settle_in({**HOURLY, "digest": {"every": 3600, "by": ["project"]}})
    for key, project in (("1", "a"), ("2", "b"), ("3", "a"), ("4", None)):
        await world.post(key, data={"message": key, "project": project})

    await world.live_on(seconds=1900)

    assert sorted(messages_in(letter.text) for letter in world.mail.letters) == [["1", "3"], ["2"], ["4"]]


async def test_what_has_expired_or_was_replaced_when_the_window_closes_is_not_in_it(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    soon = (datetime.now(UTC) + timedelta(seconds=900)).isoformat()
    (late,) = await collected(world, "late", expires_at=soon, **said("late"))
    (old,) = await collected(world, "old", collapse_key="cart", **said("old"))
    (new,) = await collected(world, "new", collapse_key="cart", **said("new"))

    await world.live_on(seconds=1900)

    (letter,) = world.mail.letters
    assert (letter.subject, messages_in(letter.text)) == ("Order shipped: 1", ["new"])
    assert [str(await world.status_of(key)) for key in (late, old, new)] == ["expired", "skipped", "sent"]
    assert (await world.document(late))["digest_id"] is None


async def test_a_digest_of_which_nothing_is_left_is_not_sent(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    soon = (datetime.now(UTC) + timedelta(seconds=900)).isoformat()
    await collected(world, "late", expires_at=soon)

    await world.live_on(seconds=1900)

    (digest,) = await digests_of(world)
    assert (world.mail.letters, str(await world.status_of(digest))) == ([], "skipped")


async def test_who_does_not_want_it_any_more_when_it_is_sent_does_not_get_it(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    keys = await collected(world, "one", "two")
    await store.directory.put_preference(TENANT, USER, "general", EMAIL, enabled=False)

    await world.live_on(seconds=1900)

    assert (world.mail.letters, await statuses(world, keys)) == ([], {"skipped"})


async def test_a_digest_that_fails_is_one_dead_letter_and_its_replay_one_message(store: Store) -> None:
    world = World(store, email=ScriptedProvider(OutcomeKind.PERMANENT))
    await world.settle_in(HOURLY)
    keys = await collected(world, "one", "two")
    await world.live_on(seconds=1900)
    failed, (letter,) = await statuses(world, keys), await world.dead_letters()

    await store.dead_letters.replay(TENANT, UUID(letter["id"]), by="somebody")
    (digest,) = await digests_of(world)
    await world.hand([world.accepted(digest, epoch=1)])
    await world.live_on()
    await world.turn_clock(31)
    await world.sweep()

    assert (failed, await statuses(world, keys)) == ({"failed"}, {"sent"})
    assert [letter.text for letter in world.mail.letters] == [world.mail.letters[0].text] * 2


async def test_a_copy_of_a_members_announcement_collects_it_once(store: Store) -> None:
    world = await World(store).settle_in(HOURLY)
    (key,) = await collected(world, "one")

    await world.redeliver_everything()
    await world.live_on(seconds=1900)
    await world.redeliver_everything()

    (letter,) = world.mail.letters
    assert messages_in(letter.text) == ["Your order is on its way."]
    assert len(lines(await world.document(key), "collected")) == 1


async def test_a_digest_goes_to_the_next_channel_with_the_same_events(store: Store) -> None:
    world = World(store, email=ScriptedProvider(OutcomeKind.PERMANENT), websocket=ScriptedProvider())
    await world.settle_in({**HOURLY, "channels": ["email", "websocket"]})
    keys = await collected(world, "one", "two")

    await world.live_on(seconds=1900)

    assert isinstance(world.websocket, ScriptedProvider)
    assert [len(messages_in(letter.text)) for letter in world.websocket.letters] == [2]
    assert await statuses(world, keys) == {"sent"}


class Crash(BaseException):
    """The process is gone."""


async def crash_after(world: World, commits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at digests, and let the process go when it has committed so often; then let its lease run out."""
    sagas, left = world.store.sagas, [commits]
    transaction = sagas.transaction

    @asynccontextmanager
    async def crashing() -> AsyncIterator[SagaSet]:
        async with transaction() as found:
            yield found
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(sagas, "transaction", crashing)
        with pytest.raises(Crash):
            await digesting.look_at_digests(world.resources)
    await world.turn_clock(31)


async def test_a_digest_of_a_thousand_events_is_one_message_over_crashes_of_whoever_gathers_and_tells(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await World(store).settle_in(HOURLY)
    monkeypatch.setattr(digesting, "LARGEST_SET", 300)
    keys = await post_many(world, 1000)
    for first in range(0, 1000, 200):
        await world.hand([world.accepted(key) for key in keys[first : first + 200]])
    await world.turn_clock(3601)

    for commits in (1, 2, 2):  # within the set, within the set, and when it is let go and not yet announced
        await crash_after(world, commits, monkeypatch)
    (digest,) = await digests_of(world)
    unannounced = await world.status_of(digest)
    await world.sweep()
    await world.deliver_everything()
    for commits in (1, 2):
        await crash_after(world, commits, monkeypatch)
    await world.live_on(seconds=60)

    (letter,) = world.mail.letters
    query = "SELECT status, count(*) FROM notifications WHERE digest_id = %s GROUP BY 1"
    assert unannounced == "pending"
    assert letter.subject == "Order shipped: 1000"
    assert (len(messages_in(letter.text)), messages_in(letter.text)[-1]) == (101, "and 900 more")
    assert await store.database.fetch(query, (digest,)) == [("sent", 1000)]


async def post_many(world: World, count: int) -> list[UUID]:
    """Keep many events at once."""
    kept = [order(number, event_type="order_shipped") for number in range(count)]
    await world.store.intake.keep(kept)
    return [one.id for one in kept]


async def test_one_digest_that_cannot_be_gathered_does_not_stop_the_others(store: Store) -> None:
    world = await World(store).settle_in({**HOURLY, "digest": {"every": 3600, "by": ["project"]}})
    (bad,) = await collected(world, "bad", data={"message": "bad", "project": "a"})
    (good,) = await collected(world, "good", data={"message": "good", "project": "b"})
    await store.database.run("UPDATE notifications SET expires_at = 'infinity' WHERE id = %s", (bad,))

    await world.turn_clock(3601)
    for _ in range(3):
        await world.sweep()
        await world.deliver_everything()

    assert [str(await world.status_of(key)) for key in (bad, good)] == ["scheduled", "sent"]
