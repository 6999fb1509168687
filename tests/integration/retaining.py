"""What the tests of retention stand on: worlds that keep what has ended for some days, and days that pass."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from shared.store.retention_sql import HANGING
from tests.world import TENANT, World

DAYS = 30


def keep(world: World, days: int = DAYS) -> World:
    """Let a world keep what has ended so many days."""
    world.resources.settings = world.resources.settings.model_copy(update={"retention_days": days})
    return world


AGE = (
    "UPDATE notifications SET created_at = created_at - {by}, updated_at = updated_at - {by}",
    "UPDATE fan_outs SET created_at = created_at - {by}, completed_at = completed_at - {by}",
    "UPDATE dead_letters SET created_at = created_at - {by}, settled_at = settled_at - {by}",
    "UPDATE attempts SET ended_at = ended_at - {by}",
    "UPDATE step_failures SET updated_at = updated_at - {by}",
    "UPDATE retention SET began_at = began_at - {by}",
)


async def pass_days(world: World, days: float = DAYS + 1) -> None:
    """Let days pass for whatever has been written; what is due then is not moved, so it stays as it is."""
    for statement in AGE:
        await world.store.database.run(statement.format(by=f"interval '1 day' * {days}"))


async def rows_of(world: World, *ids: UUID) -> Counter[str]:
    """Count what there is of notifications, by table."""
    found: Counter[str] = Counter()
    for table in HANGING:
        ((count,),) = await world.store.database.fetch(
            f"SELECT count(*) FROM {table} WHERE notification_id = ANY(%s)", (list(ids),)
        )
        found[table] = count
    for table in ("notifications", "digests"):
        ((count,),) = await world.store.database.fetch(f"SELECT count(*) FROM {table} WHERE id = ANY(%s)", (list(ids),))
        found[table] = count
    return +found


async def is_there(world: World, key: UUID) -> bool:
    return await world.store.views.status(TENANT, key) is not None


async def ended(world: World, key: str = "order-1", **more: Any) -> UUID:
    """Post one and let it be sent."""
    notification = await world.post(key, **more)
    await world.deliver_everything()
    return notification


async def failed(world: World, key: str = "order-1") -> tuple[UUID, UUID]:
    """Post one in a doomed world; return it with its dead letter."""
    notification = await ended(world, key)
    (letter,) = [one for one in await world.dead_letters() if one["notification_id"] == str(notification)]
    return notification, UUID(letter["id"])


async def discard(world: World, letter: UUID) -> None:
    done = (await world.store.dead_letters.discard_all(TENANT, [letter], by="tests", reason="seen")).done
    assert letter in done
