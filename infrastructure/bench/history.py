"""Ended notifications, millions of them: what a busy installation has after a year.

They are copies of real ones: a Carillon lives through a thousand notifications, and each of their rows is multiplied,
with a new id and an older date. So they look like the real ones whatever the schema becomes.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from pathlib import Path
from urllib.parse import urlsplit

from infrastructure.bench.child import child
from infrastructure.bench.database import put_users
from infrastructure.bench.load import Order
from infrastructure.bench.settling import settle
from infrastructure.local.postgres import EmbeddedPostgres
from infrastructure.local.private_instance import private_instance
from shared.errors import Permanent
from shared.store import Store
from shared.store.migrating import migrate

ORIGINALS = 1000
BYTES_EACH = 3_000
KEYS = {"notifications": "id", "deliveries": "notification_id", "attempts": "notification_id"}
KEYS |= {"timeline": "notification_id"}

BY_THE_MILLION = ("statement_timeout = 0", "enable_seqscan = on", "enable_hashjoin = on")
"""The store's own connections are for small sets, found by their keys."""

# Ascending, so that the index grows at its end; all over the range, so that a new id meets it as a random one does.
_ID = "(lpad(to_hex(i * 4294967295 / {rows}), 8, '0') || substr(md5(i::text), 9))::uuid"
_AGE = "({rows} - i) * interval '1 year' / {rows}"

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
ORDER BY attnum
"""
_NUMBER = """
CREATE TABLE original AS SELECT id AS key, row_number() OVER (ORDER BY id) - 1 AS place FROM notifications
"""
_KEEP = "CREATE TABLE original_{table} AS SELECT o.place, t.* FROM {table} t JOIN original o ON o.key = t.{key}"
_MULTIPLY = """
INSERT INTO {table} ({names})
SELECT {values} FROM generate_series(1, {rows}::bigint) AS g(i) JOIN original_{table} o ON o.place = g.i % {originals}
"""
_DROP = "DROP TABLE original, " + ", ".join(f"original_{table}" for table in KEYS)


class NotEnoughSpace(Permanent):
    """The disk is too small for so many rows."""


def check_space(folder: Path, rows: int) -> None:
    """Look before.

    Raises:
        NotEnoughSpace: they would not fit.
    """
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < rows * BYTES_EACH:
        need, free = (f"{size_bytes / 10**9:.0f} GB" for size_bytes in (rows * BYTES_EACH, free_bytes))
        raise NotEnoughSpace(f"{rows:,} rows take some {need}, and {folder} has {free}: set TMPDIR to a larger disk")


def filling_cluster(folder: Path) -> EmbeddedPostgres:
    """Make a cluster that is only filled: what is written in the transaction that emptied the table needs no WAL."""
    return EmbeddedPostgres(folder, wal_level="minimal", max_wal_senders=0, max_wal_size="4GB")


async def fill(url: str, rows: int) -> None:
    """Put so many ended notifications into an empty database."""
    await migrate(url)
    store = Store(url, pool_max=len(KEYS))
    await store.open()
    try:
        originals = min(ORIGINALS, rows)
        await _live_through(url, store, originals)
        await store.database.run(_NUMBER)
        for table, key in KEYS.items():
            await store.database.run(_KEEP.format(table=table, key=key))
            await store.database.run(f"ANALYZE original_{table}")
        await asyncio.gather(*[_multiply(store, table, rows, originals) for table in KEYS])
        await store.database.run(_DROP)
    finally:
        await store.close()


async def _live_through(url: str, store: Store, count: int) -> None:
    """Have a Carillon on this database live through some notifications."""
    await put_users(store, count)
    async with (
        child("infrastructure.bench.sink", "{}") as (sink, port),
        private_instance(DATABASE_URL=url, SMTP_URL=f"smtp://127.0.0.1:{port}", CHANNELS="email,websocket") as instance,
    ):
        address = urlsplit(instance.url)
        order = Order(
            host="127.0.0.1",
            port=address.port or 0,
            run=secrets.token_hex(4),
            count=count,
            users=count,
            connections=16,
        )
        async with child("infrastructure.bench.load", order.text()) as (load, _):
            await settle(store, sink, int(await load.ask("go")))


async def _multiply(store: Store, table: str, rows: int, originals: int) -> None:
    columns = await store.database.fetch(_COLUMNS, (table,))
    values = [_value(name, kind, KEYS[table], rows) for name, kind in columns]
    statement = _MULTIPLY.format(
        table=table,
        names=", ".join(name for name, _ in columns),
        values=", ".join(values),
        rows=rows,
        originals=originals,
    )
    async with store.database.connection() as connection:
        for setting in BY_THE_MILLION:
            await connection.execute(f"SET {setting}".encode())
        async with connection.transaction():
            await connection.execute(f"TRUNCATE {table}".encode())
            await connection.execute(statement.encode())
        await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}".encode())


def _value(name: str, kind: str, key: str, rows: int) -> str:
    if name == key:
        return _ID.format(rows=rows)
    if kind == "timestamp with time zone":
        return f"o.{name} - {_AGE.format(rows=rows)}"
    return f"o.{name}"
