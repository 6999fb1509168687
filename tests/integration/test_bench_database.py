"""What the benchmark asks the database, and the history that it puts there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infrastructure.bench.database import count_sent, fresh_database, under_way
from infrastructure.bench.history import NotEnoughSpace, check_space, fill
from shared.store import Store
from shared.store.migrating import migrate
from tests.postgres import PostgresForTests
from tests.world import TENANT, World

ROWS = 250
OWN_TO_A_SERVER = ("provider_message_id",)


async def test_what_is_not_recorded_as_sent_is_not_counted_and_under_way_until_it_ends(world: World) -> None:
    sent = await world.post("1")
    await world.deliver_everything()
    waiting = await world.post("2")
    await world.post("3", user="nobody")

    counted = await count_sent(world.store, [str(sent), str(waiting)])
    left = await under_way(world.store)
    await world.deliver_everything()

    assert (counted, left) == (1, 2)
    assert await count_sent(world.store, [str(sent), str(waiting)]) == 2
    assert await under_way(world.store) == 0


async def test_a_database_of_its_own_is_made_on_a_server_and_goes_with_the_benchmark(
    postgres: PostgresForTests,
) -> None:
    server = await postgres.fresh_database()
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'carillon_bench_%%'"
    store = Store(server)
    await store.open()

    async with fresh_database(server) as url:
        await migrate(url)
        during = await store.database.fetch(query)
    after = await store.database.fetch(query)
    await store.close()

    assert len(during) == 1
    assert during[0][0] in url
    assert after == []


async def shape(store: Store, table: str) -> set[Any]:
    """Tell which columns are filled, and with which members, in the rows of a table; equal rows are told once."""
    (told,) = await store.database.fetch(f"SELECT jsonb_agg(to_jsonb(t)) FROM {table} t")
    rows = [{name: value for name, value in row.items() if name not in OWN_TO_A_SERVER} for row in told[0]]
    return {
        tuple((name, tuple(value) if isinstance(value, dict) else value is None) for name, value in sorted(row.items()))
        for row in rows
    }


@pytest.mark.slow
async def test_a_history_is_made_of_rows_like_those_of_what_really_ended(
    world: World, postgres: PostgresForTests
) -> None:
    await world.post("1")
    await world.deliver_everything()
    url = await postgres.fresh_database()
    history = Store(url)

    await fill(url, ROWS)

    await history.open()
    for table in ("deliveries", "attempts"):
        assert await shape(history, table) == await shape(world.store, table)
    assert await history.database.fetch("SELECT status, next_look_at, count(*) FROM notifications GROUP BY 1, 2") == [
        ("sent", None, ROWS)
    ]
    ids = [row[0] for row in await history.database.fetch("SELECT id FROM notifications")]
    assert len({str(key)[:1] for key in ids}) == 16
    documents = [await history.views.notification(TENANT, key) for key in ids[:10]]
    for document in documents:
        assert document is not None
        assert [line["what"] for line in document["timeline"]] == ["accepted", "routed", "attempt", "sent"]
    await history.close()


def test_a_disk_that_is_too_small_for_a_history_is_told_before(tmp_path: Path) -> None:
    check_space(tmp_path, 1)

    with pytest.raises(NotEnoughSpace, match="TMPDIR"):
        check_space(tmp_path, 10**13)
