"""The one pool of connections to Postgres, and the one place that says what a database error means."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.rows import TupleRow
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests
from pydantic_core import from_json, to_json

from shared.errors import DatabaseUnavailable
from shared.store.columns import register

Connection = AsyncConnection[TupleRow]

POOL_WAIT_SECONDS = 10
STATEMENT_SECONDS = 20
LONGEST_PAUSE_SECONDS = 5.0

_PASSING = (
    psycopg.OperationalError,  # connection gone, disk full, too many connections, deadlock, serialisation, cancelled
    errors.ReadOnlySqlTransaction,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)

TRUSTED_SECONDS = 1.0

_OPTIONS = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "TimeZone": "UTC",
    # Every statement here finds rows by their keys. The planner's guesses about a set of unknown size must not turn
    # that into a scan of the table: it did so with 20,000 rows of history (docs/decisions/0008-plans.md).
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    "jit": "off",
}
"""What each connection is told, besides what the server's own configuration says."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """Connections of a pool, callers that wait for one, and how many ever had to, for how long all together."""

    connections: int
    waiting: int
    waits: int
    wait_seconds: float


class Database:
    """A pool whose connections commit each statement by itself unless a transaction is asked for."""

    def __init__(self, url: str, *, max_size: int = 10) -> None:
        self._url = url
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=max_size,
            open=False,
            timeout=POOL_WAIT_SECONDS,
            max_waiting=2000,
            kwargs={"autocommit": True, "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items())},
            configure=_configure,
            check=self._check,
        )
        self._last_use: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    async def open(self, *, patience_seconds: float = 60) -> None:
        """Wait until the database answers, with growing pauses.

        Raises:
            DatabaseUnavailable: it did not answer in that time.
        """
        await connect_patiently(self._url, patience_seconds)
        await self._pool.open()

    async def close(self) -> None:
        """Let the connections go."""
        await self._pool.close()

    def pressure(self) -> Pressure:
        """Tell how the callers of this process are doing for connections."""
        stats = self._pool.get_stats()
        return Pressure(
            connections=stats.get("pool_size", 0),
            waiting=stats.get("requests_waiting", 0),
            waits=stats.get("requests_queued", 0),
            wait_seconds=stats.get("requests_wait_ms", 0) / 1000,
        )

    async def _check(self, connection: Connection) -> None:
        """Ask a connection whether it lives, unless it did a moment ago: the question costs a round trip."""
        if time.monotonic() - self._last_use.get(connection, 0.0) > TRUSTED_SECONDS:
            await AsyncConnectionPool.check_connection(connection)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Borrow a connection for one or more statements that commit one by one.

        Raises:
            DatabaseUnavailable: something that passes; nothing of ours is wrong.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
                self._last_use[connection] = time.monotonic()  # the pool's own way, `reset`, is a task of its own
        except _PASSING as passing:
            raise DatabaseUnavailable(type(passing).__name__) from passing

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Borrow a connection for one transaction.

        Raises:
            DatabaseUnavailable: something that passes. The outcome of a COMMIT may be unknown: repeat it.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[TupleRow]:
        """Run one statement and return its rows."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()

    async def run(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> int:
        """Run one statement and return how many rows it touched."""
        async with self.connection() as connection:
            return (await connection.execute(statement, values)).rowcount


async def _configure(connection: Connection) -> None:
    connection.prepare_threshold = 0  # the hot statements are few: prepare them at once
    set_json_dumps(to_json, connection)  # a fourth of the standard library's time
    set_json_loads(from_json, connection)
    register(connection)


async def connect_patiently(url: str, patience_seconds: float) -> None:
    """Return when one connection succeeded.

    Raises:
        DatabaseUnavailable: none did in that time.
    """
    loop = asyncio.get_running_loop()
    ends_at, pause = loop.time() + patience_seconds, 0.1
    while True:
        try:
            async with await AsyncConnection.connect(url, connect_timeout=5):
                return
        except psycopg.OperationalError as failure:
            if loop.time() + pause > ends_at:
                raise DatabaseUnavailable("the database did not answer in time") from failure
            log.info("waiting for the database", extra={"pause_seconds": round(pause, 1)})
        await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
