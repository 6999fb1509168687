"""The database goes away between a provider's answer and our record of it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import DatabaseUnavailable
from shared.statuses import Channel, NotificationStatus
from shared.store import Store
from shared.store.claims import Claims, Recorded
from tests.world import World


class AwayForAWhile(Claims):
    """Claims over a database that cannot be reached when the first outcomes are to be recorded."""

    failures = 2

    async def record(self, channel: Channel, items: Sequence[Recorded]) -> None:
        """Fail twice, then keep them."""
        if self.failures:
            self.failures -= 1
            raise DatabaseUnavailable("away")
        await super().record(channel, items)


async def test_an_outcome_that_is_known_is_recorded_as_soon_as_the_database_is_back(store: Store) -> None:
    store.claims = AwayForAWhile(store.database)
    world = await World(store).settle_in()
    notification = await world.post()

    await world.deliver_everything()

    assert await world.status_of(notification) is NotificationStatus.SENT
    assert await world.outcomes(notification) == ["accepted"]
    assert len(world.mail.letters) == 1
