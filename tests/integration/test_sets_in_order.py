"""Sets take their rows in the order of the ids, whatever order they come in: two that meet wait, and never deadlock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest

from shared.ids import notification_id
from shared.outcomes import Outcome
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.claims import Claim, Claims, Command, Recorded, Verdict
from shared.store.inbox import NewItem
from shared.store.intake import NewNotification
from tests.world import TENANT, USER, World, claims_of, first_command, until_somebody_waits_for_a_lock

EMAIL = Channel.EMAIL
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")

Pairs = Sequence[tuple[Command, Claim]]
UseSet = Callable[[Claims, Pairs], Awaitable[object]]


def commands_of(pairs: Pairs) -> list[Command]:
    return [command for command, _ in pairs]


async def take_over(claims: Claims, pairs: Pairs) -> None:
    await claims.claim(EMAIL, commands_of(pairs))


async def record(claims: Claims, pairs: Pairs) -> None:
    items = [
        Recorded(command=command, token=claim.token, tenant=TENANT, outcome=ACCEPTED, took_seconds=0.1)
        for command, claim in pairs
        if claim.token
    ]
    await claims.record(EMAIL, items)


async def give_back(claims: Claims, pairs: Pairs) -> None:
    await claims.give_back(EMAIL, [(command, claim.token) for command, claim in pairs if claim.token])


async def routed(world: World, count: int) -> list[Command]:
    """Route some notifications, and return their commands with the highest id first."""
    keys = [await world.post_routed(f"order-{number}") for number in range(count)]
    return [first_command(key) for key in sorted(keys, reverse=True)]


async def free_behind_the_lowest(world: World, commands: Sequence[Command], use: Awaitable[object]) -> int:
    """Hold the delivery of the lowest id while a set wants them all; return how many of the others nobody holds."""
    lowest = (commands[-1].notification_id,)
    async with world.store.database.transaction() as holder:
        await holder.execute(b"SELECT FROM deliveries WHERE notification_id = %s FOR UPDATE", lowest)
        waiting = asyncio.ensure_future(use)
        await until_somebody_waits_for_a_lock(world.store)
        query = "SELECT FROM deliveries WHERE notification_id <> %s FOR UPDATE SKIP LOCKED"
        free = len(await world.store.database.fetch(query, lowest))
    await waiting
    return free


async def test_a_set_of_claims_takes_its_deliveries_in_the_order_of_their_ids(world: World) -> None:
    commands = await routed(world, 3)

    free = await free_behind_the_lowest(world, commands, world.store.claims.claim(EMAIL, commands))

    assert free == 2


@pytest.mark.parametrize("use", [take_over, record, give_back])
async def test_a_set_of_claimed_deliveries_is_taken_in_the_order_of_their_ids(world: World, use: UseSet) -> None:
    commands = await routed(world, 3)
    claims = claims_of(await world.store.claims.claim(EMAIL, commands))
    await world.let_leases_run_out()

    pairs = list(zip(commands, claims, strict=True))
    free = await free_behind_the_lowest(world, commands, use(world.store.claims, pairs))

    assert free == 2


async def test_an_expired_lease_is_taken_over_by_one_of_two_who_came_while_its_row_was_held(world: World) -> None:
    (command,) = await routed(world, 1)
    await world.store.claims.claim(EMAIL, [command])
    await world.let_leases_run_out()

    async with world.store.database.transaction() as holder:
        await holder.execute(b"SELECT FROM deliveries FOR UPDATE")
        both = [asyncio.create_task(world.store.claims.claim(EMAIL, [command])) for _ in range(2)]
        await until_somebody_waits_for_a_lock(world.store, how_many=2)
    answers = [claim for answer in await asyncio.gather(*both) for claim in claims_of(answer)]

    assert Counter(answer.verdict for answer in answers) == {Verdict.CLAIMED: 1, Verdict.LEASED: 1}
    assert await world.value("tries", command.notification_id) == 2


async def test_two_sets_of_the_same_new_events_in_opposite_orders_are_both_kept(store: Store) -> None:
    keys = sorted(notification_id(TENANT, "shop", str(number), USER) for number in range(2))
    low, high = [
        NewNotification(
            id=key, tenant=TENANT, user_id=USER, event_type="order", source="shop", body_hash=b"body", data={}
        )
        for key in keys
    ]
    insert = b"""
    INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, status, expires_at)
    VALUES (%s, 'default', '1', 'order', 'shop', 'body', '{}', 'pending', now()) ON CONFLICT DO NOTHING
    """

    async with store.database.transaction() as other:
        await other.execute(insert, (low.id,))
        mine = asyncio.create_task(store.intake.keep([high, low]))
        await until_somebody_waits_for_a_lock(store)
        await other.execute(insert, (high.id,))
    kept = await mine

    assert [word for word, _ in kept] == ["known", "known"]


async def test_a_set_of_messages_moves_the_cursors_in_the_order_of_the_people(store: Store) -> None:
    def letters(epoch: int) -> list[NewItem]:
        """Write to three people, the last one first; the ids of the notifications rise as they come."""
        people = enumerate(["3", "2", "1"])
        return [
            NewItem(tenant=TENANT, user_id=user, notification_id=UUID(int=place), epoch=epoch, content={})
            for place, user in people
        ]

    await store.inbox.put(letters(epoch=0))

    async with store.database.transaction() as holder:
        await holder.execute(b"SELECT FROM inbox_cursors WHERE user_id = '1' FOR UPDATE")
        waiting = asyncio.create_task(store.inbox.put(letters(epoch=1)))
        await until_somebody_waits_for_a_lock(store)
        free = await store.database.fetch("SELECT FROM inbox_cursors WHERE user_id <> '1' FOR UPDATE SKIP LOCKED")
    await waiting

    assert len(free) == 2


SMALL = {
    *("api_keys", "breakers", "contact_policies", "erasures", "gauges", "retention", "schema_migrations", "secrets"),
    *("step_failures", "suppressed_hashes", "template_versions", "templates", "workflows"),
    *("contact_counters", "inbox_cursors"),  # a row a person, written over and over: vacuum has to come by
}


async def test_of_what_grows_nothing_is_known_before_there_is_much_of_it(store: Store) -> None:
    rows = await store.database.fetch("""
        SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND NOT COALESCE(reloptions, '{}') @> ARRAY['autovacuum_analyze_threshold=10000',
            'autovacuum_vacuum_threshold=10000', 'autovacuum_vacuum_insert_threshold=10000']""")

    assert {row[0] for row in rows} == SMALL
