"""Make a used copy of a database as it was when it was copied: without what was left in it, by the same schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

SCHEMA = """
SELECT array_agg(part ORDER BY part) FROM (
    SELECT 'classes ' || count(*) || ' ' || max(xmin::text::bigint) AS part FROM pg_class WHERE oid >= 16384
    UNION ALL SELECT 'columns ' || count(*) || ' ' || max(xmin::text::bigint) FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT 'triggers ' || count(*) || ' ' || max(xmin::text::bigint) FROM pg_trigger
    UNION ALL SELECT 'functions ' || count(*) || ' ' || max(xmin::text::bigint) FROM pg_proc WHERE oid >= 16384
    UNION ALL SELECT 'constraints ' || count(*) || ' ' || max(xmin::text::bigint) FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT 'indexes ' || count(*) || ' ' || max(xmin::text::bigint) FROM pg_index WHERE indexrelid >= 16384
    UNION ALL SELECT 'settings ' || count(*) FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS parts
"""
"""What stands for a schema. A change adds or takes a row of the catalogue, or writes one anew, with a later `xmin`."""

TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY 1"

Connection = psycopg.AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Washing:
    """What a copy looked like when it was made, and the one script that brings it back."""

    schema: str
    script: bytes

    @classmethod
    async def learn(cls, template: str) -> Washing:
        """Look at the database that copies are made of."""
        async with await psycopg.AsyncConnection.connect(template, autocommit=True) as connection:
            schema = await _schema(connection)
            parts: list[sql.Composable] = [
                sql.SQL("SET session_replication_role = replica")
            ]  # neither triggers nor references are asked
            for (table,) in await _all(connection, TABLES):
                parts += await _as_it_was(connection, sql.Identifier(table))
            for (sequence,) in await _all(connection, SEQUENCES):
                parts.append(sql.SQL("SELECT setval({}, 1, false)").format(sql.Literal(sequence)))
            return cls(schema, sql.SQL(";\n").join(parts).as_bytes(connection))

    async def wash(self, url: str) -> bool:
        """Empty a copy that nobody else is connected to; return False when its schema is not the template's."""
        async with await psycopg.AsyncConnection.connect(url) as connection:
            if await _schema(connection) != self.schema:
                return False
            await connection.execute(self.script)
        return True


async def _schema(connection: Connection) -> str:
    ((schema,),) = await _all(connection, SCHEMA)
    return str(schema)


async def _all(connection: Connection, query: str | sql.Composable) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(query)  # type: ignore[arg-type]
    return await cursor.fetchall()


async def _as_it_was(connection: Connection, table: sql.Identifier) -> list[sql.Composable]:
    """Write the statements that leave in a table what the template has in it."""
    ((kept,),) = await _all(connection, sql.SQL("SELECT json_agg(t)::text FROM {} t").format(table))
    written: list[sql.Composable] = [sql.SQL("DELETE FROM {}").format(table)]
    if kept:
        again = "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::{0}, {1})"
        written.append(sql.SQL(again).format(table, sql.Literal(kept)))
    return written
