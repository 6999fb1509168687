"""Bring the schema up to date: plain SQL files, each once, in order, safely by several processes at once."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from importlib import resources

from psycopg import AsyncConnection, OperationalError, errors

from shared.errors import DatabaseUnavailable, Permanent
from shared.store.database import connect_patiently

LOCK = 7_214_903_551
"""The advisory lock under which one process migrates and the others wait."""

PAUSE_SECONDS = 0.2

log = logging.getLogger(__name__)


class MigrationChanged(Permanent):
    """A migration that was applied has other content now. Write a new one instead."""


def migrations() -> list[tuple[str, str]]:
    """List the migrations in order: name and SQL."""
    folder = resources.files("shared.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in files]


async def missing(url: str, *, patience_seconds: float = 3) -> list[str]:
    """Name what is not applied yet, and change nothing.

    Raises:
        MigrationChanged: an applied file was edited.
        DatabaseUnavailable: the database did not answer in time.
    """
    await connect_patiently(url, patience_seconds)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        return [name for name, _ in await to_apply(connection)]


async def migrate(
    url: str, *, patience_seconds: float = 60, tell: Callable[[str], object] = lambda name: None
) -> list[str]:
    """Apply what is missing, each file in a transaction of its own, and return the names; `tell` hears each before.

    Raises:
        MigrationChanged: an applied file was edited.
        DatabaseUnavailable: the database did not answer in time.
    """
    done: list[str] = []
    deadline = time.monotonic() + patience_seconds
    while True:
        await connect_patiently(url, max(deadline - time.monotonic(), 0))
        try:
            await _bring_up_to_date(url, tell, done)
            return done
        except OperationalError as lost:  # it is being restarted, say: what was applied is applied
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(type(lost).__name__) from lost
            log.warning("the database went away during the migration", extra={"error": type(lost).__name__})
            await asyncio.sleep(PAUSE_SECONDS)


async def _bring_up_to_date(url: str, tell: Callable[[str], object], done: list[str]) -> None:
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        await _create_ledger(connection)
        for name, sql in await to_apply(connection):
            tell(name)
            await _apply(connection, name, sql)
            done.append(name)


async def to_apply(connection: AsyncConnection) -> list[tuple[str, str]]:
    """List the migrations that this database has not seen, in order: name and SQL.

    Raises:
        MigrationChanged: an applied file was edited.
    """
    applied = await _applied(connection)
    for name, sql in migrations():
        if applied.get(name, _checksum(sql)) != _checksum(sql):
            raise MigrationChanged(f"{name} was applied with other content")
    return [(name, sql) for name, sql in migrations() if name not in applied]


async def _applied(connection: AsyncConnection) -> dict[str, str]:
    there = await (await connection.execute("SELECT to_regclass('schema_migrations') IS NOT NULL")).fetchone()
    if there is None or not there[0]:
        return {}
    rows = await (await connection.execute("SELECT name, checksum FROM schema_migrations")).fetchall()
    return dict(rows)


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


async def _create_ledger(connection: AsyncConnection) -> None:
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    except errors.UniqueViolation:  # two sessions created it at once: it is there
        log.info("the ledger of migrations was there already")


async def _apply(connection: AsyncConnection, name: str, sql: str) -> None:
    async with connection.transaction():
        await connection.execute(sql.encode())
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (name, _checksum(sql))
        )
    log.info("migration applied", extra={"migration": name})
