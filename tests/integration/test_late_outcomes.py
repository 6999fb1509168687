"""A success that comes late, and whose word is lost; a probe that comes early."""

from __future__ import annotations

from uuid import UUID

import pytest

from shared.broker.topology import commands
from shared.outcomes import Outcome
from shared.statuses import Channel, NotificationStatus, OutcomeKind
from shared.store import Store
from shared.store.breakers import FAILURES_TO_OPEN, Breaker, BreakerState
from shared.store.claims import Recorded
from tests.world import TENANT, World, claims_of, first_command

EMAIL = Channel.EMAIL
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")


@pytest.mark.parametrize("is_replayed", [False, True])
async def test_a_late_success_on_record_counts_even_if_its_result_is_lost(store: Store, *, is_replayed: bool) -> None:
    world = await World(store).settle_in({"on_ambiguous": "hold"})
    command = first_command(await world.post_routed())
    (lost,) = claims_of(await store.claims.claim(EMAIL, [command]))
    assert lost.token is not None
    await world.turn_clock(61)
    await world.live_on()
    before = await world.status_of(command.notification_id)
    if is_replayed:
        (letter,) = await world.dead_letters()
        await store.dead_letters.replay(TENANT, UUID(letter["id"]), by="somebody")

    item = Recorded(command=command, token=lost.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=70)
    await store.claims.record(EMAIL, [item])
    world.lose_messages()
    await world.turn_clock(31)
    await world.sweep()
    await world.deliver_everything()
    told = len(world.broker.published)
    await world.turn_clock(3600)
    await world.sweep()

    assert before is NotificationStatus.UNKNOWN
    assert await world.status_of(command.notification_id) is NotificationStatus.SENT
    assert world.mail.letters == []
    assert len(world.broker.published) == told


async def test_a_probe_that_comes_a_little_early_still_speaks_for_its_provider(world: World) -> None:
    await world.post_routed()
    for _ in range(FAILURES_TO_OPEN):
        await world.store.breakers.fail(TENANT, world.mail.name, None)
    await world.store.database.run("UPDATE breakers SET opened_until = clock_timestamp()")
    await world.store.database.run("UPDATE deliveries SET due_at = clock_timestamp() + interval '0.6 seconds'")

    await world.deliver_queue(commands(EMAIL))

    assert len(world.mail.letters) == 1
    assert await world.store.breakers.read(TENANT, world.mail.name) == Breaker(state=BreakerState.CLOSED)
