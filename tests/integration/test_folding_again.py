"""Orchestrate reads without locks; what changes meanwhile is folded again, under them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from shared.statuses import NotificationStatus
from shared.store.changes import Change
from shared.store.sagas import SagaSet
from shared.store.unlocked import UnlockedSagas, UnlockedSet
from tests.world import World


class Interrupted(UnlockedSagas):
    """Let something happen each time between reading and writing."""

    def __init__(self, world: World, happen: Callable[[], Awaitable[object]]) -> None:
        self._usual = world.store.unlocked
        self._happen = happen

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[SagaSet]:
        """Open a set whose saving comes too late."""
        async with self._usual.sagas() as usual:
            assert isinstance(usual, UnlockedSet)
            save = usual.save

            async def late(changes: Sequence[Change], *, looked: bool = False) -> None:
                await self._happen()
                await save(changes, looked=looked)

            usual.save = late  # type: ignore[method-assign]
            yield usual


def folded_again(world: World) -> float | None:
    return world.resources.metrics.registry.get_sample_value("carillon_sets_folded_again_total")


async def test_a_notification_that_changes_each_time_it_is_decided_is_sent_once(world: World) -> None:
    notification = await world.post()
    world.store.unlocked = Interrupted(world, lambda: world.store.sagas.put_off(notification))

    await world.deliver_everything()

    assert await world.status_of(notification) is NotificationStatus.SENT
    assert len(world.mail.letters) == 1
    assert folded_again(world) == 2
    timeline = (await world.document(notification))["timeline"]
    assert [line["what"] for line in timeline] == ["accepted", "routed", "attempt", "sent"]


async def test_a_delivery_that_changes_alone_is_seen_too(world: World) -> None:
    notification = await world.post()
    touch = "UPDATE deliveries SET updated_at = clock_timestamp()"
    world.store.unlocked = Interrupted(world, lambda: world.store.database.run(touch))

    await world.deliver_everything()

    assert await world.status_of(notification) is NotificationStatus.SENT
    assert folded_again(world) == 1  # when it was routed, there was no delivery yet


async def test_a_notification_that_nobody_else_touches_is_folded_once(world: World) -> None:
    await world.post()

    await world.deliver_everything()

    assert folded_again(world) == 0
