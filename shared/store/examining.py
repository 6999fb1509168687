"""What a database says of itself, for whoever looks whether all is well. Nothing is changed, and nothing waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection

from shared.errors import DatabaseUnavailable
from shared.statuses import TERMINAL
from shared.store.migrating import MigrationChanged, to_apply

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 5
STUCK_SECONDS = 120
MOST_COUNTED = 10_000
MOST_TENANTS = 1_000

_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('max_connections')::int,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('synchronous_commit'), pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on',
       current_setting('data_directory', true)
"""
_BACKLOG = "SELECT count(*) FROM (SELECT FROM notifications WHERE next_look_at IS NOT NULL AND status <> 'scheduled'"
_WORK = f"""
SELECT ({_BACKLOG} LIMIT %(most)s) AS waiting),
       (SELECT count(*) FROM (
          SELECT FROM notifications
          WHERE next_look_at IS NOT NULL AND next_look_at < clock_timestamp() - make_interval(secs => %(stuck)s)
          LIMIT %(most)s) AS overdue),
       (SELECT count(*) FROM (
          SELECT FROM notifications
          WHERE next_look_at IS NOT NULL AND status IN ('pending', 'compensating')
            AND updated_at < clock_timestamp() - make_interval(secs => %(stuck)s)
          LIMIT %(most)s) AS stuck),
       (SELECT count(*) FROM (SELECT FROM dead_letters WHERE status = 'open' LIMIT %(most)s) AS open)
"""  # noqa: S608 - written of constants of ours
_ENDED = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
_KEPT = f"""
WITH RECURSIVE tenants AS (
    (SELECT tenant FROM notifications ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT n.tenant FROM notifications n WHERE n.tenant > t.tenant ORDER BY n.tenant LIMIT 1)
    FROM tenants t WHERE t.tenant IS NOT NULL
), oldest AS (
    SELECT (SELECT n.created_at FROM notifications n
            WHERE n.tenant = t.tenant AND n.next_look_at IS NULL AND n.status IN ({_ENDED})
            ORDER BY n.created_at, n.id LIMIT 1) AS created_at
    FROM (SELECT tenant FROM tenants LIMIT {MOST_TENANTS}) AS t
)
SELECT EXTRACT(EPOCH FROM clock_timestamp() - (SELECT min(created_at) FROM oldest))::float8,
       (SELECT EXTRACT(EPOCH FROM clock_timestamp() - began_at)::float8 FROM retention)
"""  # noqa: S608 - constants of ours

_REASONS = (  # what libpq says, and what it means; its own words name users and hosts
    ("password authentication failed", "the user or the password is wrong"),
    ("no password supplied", "it wants a password"),
    ("no pg_hba.conf entry", "it does not let this machine or this user in"),
    ("too many clients", "all of its connections are taken"),
    ("remaining connection slots", "all of its connections are taken"),
    ("does not exist", "there is no such database, or no such user"),
    ("starting up", "it is starting up"),
    ("Connection refused", "nothing listens there"),
    ("No such file", "nothing listens there"),
    ("timeout", "there was no answer in time"),
    ("resolve", "the host is not known"),
    ("Name or service not known", "the host is not known"),
    ("SSL", "TLS failed, or is not offered"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What waits, over all tenants, each counted up to `MOST_COUNTED`."""

    backlog: int
    overdue: int  # the sweep should have looked at them two minutes ago
    stuck: int  # owed a step for two minutes, and nothing has come of it
    open_dead_letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How old the oldest is that has ended, None if nothing has, and when retention last began a round, None if never.

    Of the first `MOST_TENANTS` tenants.
    """

    oldest_seconds: float | None
    round_seconds_ago: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What was found. `version` is as in 140005; `missing` are migrations, and `changed` tells of one that was edited.

    `data_directory` is None where this user may not see it; `work` and `kept` where the schema is not up to date.
    """

    version: int
    most_connections: int
    connections: int
    synchronous_commit: str
    is_read_only: bool
    data_directory: str | None
    clock_ahead_seconds: float
    missing: tuple[str, ...] = ()
    changed: str | None = None
    work: Work | None = None
    kept: Kept | None = None


async def examine(url: str) -> DatabaseFacts:
    """Look at a database once.

    Raises:
        DatabaseUnavailable: why it cannot be looked at, without any part of the address.
    """
    try:
        options = f"-c statement_timeout={STATEMENT_SECONDS}s -c default_transaction_read_only=off"
        async with await AsyncConnection.connect(
            url, autocommit=True, connect_timeout=CONNECT_SECONDS, options=options
        ) as connection:
            return await _look(connection)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as failure:
        raise DatabaseUnavailable(_why(failure)) from None


async def _look(connection: AsyncConnection) -> DatabaseFacts:
    row = await (await connection.execute(_SERVER)).fetchone()
    assert row is not None
    missing: tuple[str, ...] = ()
    changed = None
    try:
        missing = tuple([name for name, _ in await to_apply(connection)])
    except MigrationChanged as edited:
        changed = str(edited)
    work = kept = None
    if not missing and changed is None:
        counts = await (await connection.execute(_WORK, {"most": MOST_COUNTED, "stuck": STUCK_SECONDS})).fetchone()
        assert counts is not None
        work = Work(backlog=counts[0], overdue=counts[1], stuck=counts[2], open_dead_letters=counts[3])
        ages = await (await connection.execute(_KEPT)).fetchone()
        assert ages is not None
        kept = Kept(oldest_seconds=ages[0], round_seconds_ago=ages[1])
    return DatabaseFacts(
        version=row[0],
        most_connections=row[1],
        connections=row[2],
        synchronous_commit=row[3],
        is_read_only=row[4],
        data_directory=row[5],
        clock_ahead_seconds=await _clock(connection),
        missing=missing,
        changed=changed,
        work=work,
        kept=kept,
    )


async def _clock(connection: AsyncConnection) -> float:
    """Tell how far its clock is ahead of ours, half of the way there and back taken off."""
    before = time.time()
    row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
    assert row is not None
    return float(row[0]) - (before + time.time()) / 2


def _why(failure: psycopg.Error) -> str:
    said = str(failure)
    return next((meaning for words, meaning in _REASONS if words in said), type(failure).__name__)
