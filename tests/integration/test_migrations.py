"""The schema brings itself up to date, whoever comes first."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest

from shared.errors import DatabaseUnavailable
from shared.store import migrating
from shared.store.migrating import MigrationChanged, migrate, migrations
from tests.postgres import PostgresForTests

PROCESS = "import asyncio, json, sys; from shared.store.migrating import migrate; \
print(json.dumps(asyncio.run(migrate(sys.argv[1]))))"


@pytest.fixture
async def empty_url(postgres: PostgresForTests) -> str:
    return await postgres.fresh_database()


async def migrate_in_a_process(url: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return list(json.loads(out))


async def tables(url: str) -> set[str]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {row[0] for row in await (await connection.execute(query)).fetchall()}


async def test_processes_that_start_together_apply_every_file_once(empty_url: str) -> None:
    applied = await asyncio.gather(*[migrate_in_a_process(empty_url) for _ in range(4)])

    assert Counter(name for names in applied for name in names) == Counter(name for name, _ in migrations())


async def test_a_second_start_changes_nothing(empty_url: str) -> None:
    first = await migrate(empty_url)

    second = await migrate(empty_url)

    assert first == [name for name, _ in migrations()]
    assert second == []


async def test_a_start_that_loses_the_database_half_way_begins_again(empty_url: str) -> None:
    waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with await psycopg.AsyncConnection.connect(empty_url, autocommit=True) as holder:
        await holder.execute("SELECT pg_advisory_lock(%s)", (migrating.LOCK,))
        starting = asyncio.create_task(migrate(empty_url))
        async with asyncio.timeout(20):
            while (row := await (await holder.execute(waiting)).fetchone()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await holder.execute("SELECT pg_terminate_backend(%s)", row)
        await holder.execute("SELECT pg_advisory_unlock(%s)", (migrating.LOCK,))

        assert await starting == [name for name, _ in migrations()]


async def test_a_start_before_the_database_is_up_waits_for_it(
    empty_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    real = urlsplit(empty_url)
    query = {name: values[0] for name, values in parse_qs(real.query).items()}
    sockets = Path(query["host"])
    not_yet = real._replace(query="&".join(f"{k}={quote(v)}" for k, v in {**query, "host": str(tmp_path)}.items()))

    start = asyncio.create_task(migrate(not_yet.geturl(), patience_seconds=30))
    async with asyncio.timeout(10):
        while "waiting for the database" not in caplog.text:  # noqa: ASYNC110 - the log is all that can be seen
            await asyncio.sleep(0.01)
    name = f".s.PGSQL.{query.get('port', '5432')}"
    (tmp_path / name).symlink_to(sockets / name)
    applied = await start

    assert applied == [name for name, _ in migrations()]


async def test_a_database_that_never_comes_up_is_named_as_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate(f"postgresql://nobody@/postgres?host={tmp_path}", patience_seconds=0.2)


async def test_an_applied_file_that_was_edited_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await migrate(empty_url)
    (name, sql), *rest = migrations()

    monkeypatch.setattr(migrating, "migrations", lambda: [(name, f"{sql}\n-- edited"), *rest])

    with pytest.raises(MigrationChanged, match=name):
        await migrate(empty_url)


async def test_a_file_that_breaks_half_way_leaves_nothing_and_can_be_applied_when_it_is_mended(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "migrations", lambda: [("0001", "CREATE TABLE half (id int); SELECT no_such()")])
    with pytest.raises(psycopg.Error):
        await migrate(empty_url)
    left_behind = await tables(empty_url)

    monkeypatch.setattr(migrating, "migrations", lambda: [("0001", "CREATE TABLE half (id int)")])
    applied = await migrate(empty_url)

    assert "half" not in left_behind
    assert applied == ["0001"]
