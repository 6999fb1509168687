"""The database goes away between a provider's answer and our record of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from shared.errors import DatabaseUnavailable
from shared.outcomes import Outcome
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.step.recording import Recording
from shared.store import Store
from shared.store.claims import Claims, Command, Recorded
from tests.world import TENANT, World


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


async def test_an_outcome_waits_for_the_database_no_longer_than_its_lease_lasts(store: Store) -> None:
    claims = AwayForAWhile(store.database)
    recording = Recording(claims, Channel.EMAIL, patience_seconds=5)
    outcome = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")
    item = Recorded(command=Command(uuid4(), 1, 0), token=uuid4(), tenant=TENANT, outcome=outcome, took_seconds=0.1)

    (failure,) = await recording.keep([item], lease_ends_at=asyncio.get_running_loop().time())

    assert isinstance(failure, DatabaseUnavailable)
    assert claims.failures == 1
