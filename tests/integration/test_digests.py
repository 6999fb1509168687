"""Digests over the real store: many events, one message, whatever goes wrong on the way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.store import Store
from tests.world import World, lines

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
