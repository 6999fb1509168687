"""Sets of claims and outcomes that meet others, or break in the middle, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import TupleRow

from shared.errors import DatabaseUnavailable
from shared.outcomes import Outcome
from shared.statuses import Channel, OutcomeKind
from shared.store import Store
from shared.store.claim_sql import JUDGE, SUPPRESS
from shared.store.claims import Claim, Claims, Command, Recorded, Verdict
from shared.store.database import Database
from tests.world import TENANT, World, claims_of, first_command, until_somebody_waits_for_a_lock

EMAIL = Channel.EMAIL
ACCEPTED = Outcome(kind=OutcomeKind.ACCEPTED, code="250", provider="scripted")
BOUNCED = Outcome(kind=OutcomeKind.PERMANENT, code="550", provider="scripted", suppress=True)


async def claimed(world: World, *commands: Command) -> list[Claim]:
    return claims_of(await world.store.claims.claim(EMAIL, commands))


def recorded(command: Command, claim: Claim, outcome: Outcome, **more: Any) -> Recorded:
    assert claim.token is not None
    return Recorded(command=command, token=claim.token, tenant=TENANT, outcome=outcome, took_seconds=0.1, **more)


@pytest.mark.parametrize("outcome", [ACCEPTED, BOUNCED])
async def test_an_outcome_that_meets_the_takeover_of_its_lease_waits_and_does_not_deadlock(
    world: World, outcome: Outcome
) -> None:
    command = first_command(await world.post_routed())
    (lost,) = await claimed(world, command)
    await world.let_leases_run_out()
    asked = (EMAIL.value, [command.notification_id], [command.attempt], [command.epoch], [uuid4()])

    async with world.store.database.transaction() as connection:  # the takeover, stopped when it holds the delivery
        await connection.execute(b"SELECT FROM deliveries FOR UPDATE")
        late = asyncio.create_task(world.store.claims.record(EMAIL, [recorded(command, lost, outcome)]))
        await until_somebody_waits_for_a_lock(world.store)
        (heir,) = await (await connection.execute(JUDGE[EMAIL], asked)).fetchall()
    await late

    (attempt,) = (await world.document(command.notification_id))["attempts"]
    assert heir[1] == "takeover"
    assert (attempt["outcome"], attempt["ambiguous"]) == (outcome.kind.value, True)
    assert await world.value("outcome", command.notification_id) is None


async def test_two_sets_that_suppress_the_same_addresses_do_not_deadlock(world: World) -> None:
    keys = sorted([await world.post_routed(f"order-{number}") for number in range(2)])
    commands = [first_command(key) for key in keys]
    claims = await claimed(world, *commands)
    addresses = ["b@example.test", "a@example.test"]
    items = [
        recorded(command, claim, BOUNCED, address=address)
        for command, claim, address in zip(commands, claims, addresses, strict=True)
    ]

    async with world.store.database.transaction() as other:
        await other.execute(SUPPRESS, (TENANT, EMAIL.value, "a@example.test", "550"))
        mine = asyncio.create_task(world.store.claims.record(EMAIL, items))
        await until_somebody_waits_for_a_lock(world.store)
        await other.execute(SUPPRESS, (TENANT, EMAIL.value, "b@example.test", "550"))
    await mine

    rows = await world.store.database.fetch("SELECT address FROM suppressions ORDER BY address")
    assert rows == [("a@example.test",), ("b@example.test",)]


class CutOffAfterTheClaim(Database):
    """A database that is away when it is asked why something was not claimed."""

    async def fetch(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[TupleRow]:
        """Run one statement, unless it is that one."""
        if statement == JUDGE[EMAIL]:
            raise DatabaseUnavailable("the connection is gone")
        return await super().fetch(statement, values)


@pytest.fixture
async def cut_off(database_url: str) -> AsyncIterator[Database]:
    database = CutOffAfterTheClaim(database_url)
    await database.open()
    yield database
    await database.close()


async def test_what_was_claimed_is_answered_even_if_the_database_goes_away_before_the_rest_is_judged(
    store: Store, cut_off: Database
) -> None:
    world = await World(store).settle_in()
    free, taken = [first_command(await world.post_routed(f"order-{number}")) for number in range(2)]
    await claimed(world, taken)

    mine, other = await Claims(cut_off).claim(EMAIL, [free, taken])

    assert isinstance(mine, Claim)
    assert (mine.verdict, mine.token) == (Verdict.CLAIMED, await world.value("token", free.notification_id))
    assert isinstance(other, DatabaseUnavailable)


async def test_a_row_that_cannot_be_judged_changes_nobody_elses_fate(world: World) -> None:
    free, taken, poison = [first_command(await world.post_routed(f"order-{number}")) for number in range(3)]
    await claimed(world, taken, poison)
    await world.store.database.run(
        "UPDATE deliveries SET lease_until = clock_timestamp() WHERE notification_id = %s", (poison.notification_id,)
    )
    await world.store.database.run(
        'UPDATE notifications SET plan = \'{"max_tries": "many"}\' WHERE id = %s', (poison.notification_id,)
    )

    answers = await world.store.claims.claim(EMAIL, [poison, taken, free])

    assert isinstance(answers[0], psycopg.DataError)
    assert [claim.verdict for claim in claims_of(answers[1:])] == [Verdict.LEASED, Verdict.CLAIMED]
