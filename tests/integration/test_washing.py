"""A database that comes back is as good as new, or it does not come back."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from shared.store.migrating import migrate
from tests.postgres import KEPT_DATABASES, PostgresForTests

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
USER = "INSERT INTO users (tenant, id) VALUES ('default', '1')"


async def migrated(url: str) -> None:
    await migrate(url)


async def said(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Say something to a database; return what the last answer was."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = await connection.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def next_after(cluster: PostgresForTests) -> str:
    """Ask until the first one's turn has come again."""
    for _ in range(KEPT_DATABASES):
        url = await cluster.fresh_database(migrated)
    return url


async def counted(url: str) -> dict[str, int]:
    """Count the rows of every table."""
    return {table: (await said(url, f"SELECT count(*) FROM {table}"))[0][0] for (table,) in await said(url, TABLES)}


async def oid(url: str) -> int:
    ((found,),) = await said(url, "SELECT oid FROM pg_database WHERE datname = current_database()")
    return int(found)


async def test_what_was_left_in_it_is_gone_and_what_it_came_with_is_there(postgres: PostgresForTests) -> None:
    untouched = await said(await postgres.fresh_database(migrated), "SELECT md5(value) FROM secrets")
    used = await postgres.fresh_database(migrated)
    before, place = await counted(used), await oid(used)
    await said(used, USER, "DELETE FROM secrets", "DELETE FROM schema_migrations", "SELECT nextval('timeline_id_seq')")

    again = await next_after(postgres)

    assert await oid(again) == place
    assert again != used
    assert await counted(again) == before
    assert await said(again, "SELECT md5(value) FROM secrets") == untouched
    assert await said(again, "SELECT nextval('timeline_id_seq')") == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users DROP COLUMN name",
        "ALTER TABLE notifications DISABLE TRIGGER USER",
        "CREATE TABLE notes (note text)",
        "DROP TABLE dead_letters CASCADE",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
async def test_one_whose_schema_was_changed_does_not_come_back(postgres: PostgresForTests, change: str) -> None:
    used = await postgres.fresh_database(migrated)
    place = await oid(used)
    await said(used, change)

    again = await next_after(postgres)

    assert await oid(again) != place


async def test_whoever_still_stands_on_it_is_cut_off(postgres: PostgresForTests) -> None:
    used = await postgres.fresh_database(migrated)
    async with await psycopg.AsyncConnection.connect(used, autocommit=True) as late:
        again = await next_after(postgres)

        with pytest.raises(psycopg.OperationalError):
            await late.execute(USER.encode())
    with pytest.raises(psycopg.OperationalError):
        await said(used, USER)

    assert await said(again, "SELECT id FROM users") == []
