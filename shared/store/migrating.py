"""Bring the schema up to date: plain SQL files, each once, in order, safely by several processes at once."""

from __future__ import annotations

import hashlib
import logging
from importlib import resources

from psycopg import AsyncConnection, errors

from shared.errors import Permanent
from shared.store.database import connect_patiently

LOCK = 7_214_903_551
"""The advisory lock under which one process migrates and the others wait."""

log = logging.getLogger(__name__)


class MigrationChanged(Permanent):
    """A migration that was applied has other content now. Write a new one instead."""


def migrations() -> list[tuple[str, str]]:
    """List the migrations in order: name and SQL."""
    folder = resources.files("shared.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in files]


async def migrate(url: str, *, patience_seconds: float = 60) -> list[str]:
    """Apply what is missing, each file in a transaction of its own, and return the names.

    Raises:
        MigrationChanged: an applied file was edited.
        DatabaseUnavailable: the database did not answer in time.
    """
    await connect_patiently(url, patience_seconds)
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        await _create_ledger(connection)
        rows = await (await connection.execute("SELECT name, checksum FROM schema_migrations")).fetchall()
        applied: dict[str, str] = dict(rows)
        done = []
        for name, sql in migrations():
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            if name not in applied:
                await _apply(connection, name, sql, checksum)
                done.append(name)
            elif applied[name] != checksum:
                raise MigrationChanged(f"{name} was applied with other content")
        return done


async def _create_ledger(connection: AsyncConnection) -> None:
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    except errors.UniqueViolation:  # two sessions created it at once: it is there
        log.info("the ledger of migrations was there already")


async def _apply(connection: AsyncConnection, name: str, sql: str, checksum: str) -> None:
    async with connection.transaction():
        await connection.execute(sql.encode())
        await connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (name, checksum))
    log.info("migration applied", extra={"migration": name})
