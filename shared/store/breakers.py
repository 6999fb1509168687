"""The breakers' state: one row per tenant and provider, moved by compare-and-set on the database's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.store.database import Connection, Database

FAILURES_TO_OPEN = 5
OPEN_SECONDS = 60
PROBE_SECONDS = 30
"""How long a probe may take before another one may try: longer than any call."""


class BreakerState(StrEnum):
    """Whether a provider may be called."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker as it stands. `wait_seconds` is until a probe may be tried, `until` the same as a time."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    wait_seconds: float = 0.0
    until: datetime | None = None


_READ = """
SELECT state, failures,
       GREATEST(EXTRACT(EPOCH FROM CASE state WHEN 'half_open' THEN probe_until ELSE opened_until END
                        - clock_timestamp())::float8, 0)
FROM breakers WHERE tenant = %s AND provider = %s
"""
_READ_ALL = """
SELECT b.provider, b.state, b.failures, GREATEST(EXTRACT(EPOCH FROM u.until - clock_timestamp())::float8, 0), u.until
FROM breakers b, LATERAL (SELECT CASE b.state WHEN 'half_open' THEN b.probe_until ELSE b.opened_until END AS until) u
WHERE b.tenant = %b
"""
_FAIL = """
INSERT INTO breakers AS b (tenant, provider, state, failures) VALUES (%(tenant)s, %(provider)s, 'closed', 1)
ON CONFLICT (tenant, provider) DO UPDATE
SET failures = b.failures + 1, updated_at = clock_timestamp(), probe_token = NULL, probe_until = NULL,
    state = CASE WHEN b.state <> 'closed' OR b.failures + 1 >= %(limit)s THEN 'open' ELSE 'closed' END,
    opened_until = CASE
        WHEN b.state = 'open' AND b.opened_until > clock_timestamp() THEN b.opened_until
        WHEN b.state <> 'closed' OR b.failures + 1 >= %(limit)s
        THEN clock_timestamp() + %(open)s * interval '1 second'
    END
WHERE b.state <> 'half_open' OR b.probe_token IS NOT DISTINCT FROM %(token)s
RETURNING state
"""
_SUCCEED = """
UPDATE breakers SET state = 'closed', failures = 0, opened_until = NULL, probe_token = NULL, probe_until = NULL,
       updated_at = clock_timestamp()
WHERE tenant = %s AND provider = %s AND (state = 'closed' OR (state = 'half_open' AND probe_token = %s))
"""
_PROBE = """
UPDATE breakers SET state = 'half_open', probe_token = %s, updated_at = clock_timestamp(),
       probe_until = clock_timestamp() + %s * interval '1 second'
WHERE tenant = %s AND provider = %s
  AND ((state = 'open' AND opened_until <= clock_timestamp())
       OR (state = 'half_open' AND probe_until <= clock_timestamp()))
RETURNING probe_token
"""
_SHUT = """
SELECT provider, count(*),
       CASE WHEN state = 'open' AND opened_until > clock_timestamp() THEN 'open' ELSE 'half_open' END
FROM breakers WHERE provider = ANY(%s) AND state <> 'closed' GROUP BY 1, 3
"""
"""Open until its time is over; then whoever comes next may probe, so it is half open, whether anybody comes or not."""

_RELEASE = """
UPDATE breakers SET probe_until = clock_timestamp()
WHERE tenant = %s AND provider = %s AND state = 'half_open' AND probe_token = %s
"""


async def read_all(connection: Connection, tenant: str) -> dict[str, Breaker]:
    """Read all of a tenant's breakers, by provider."""
    rows = await (await connection.execute(_READ_ALL, (tenant,))).fetchall()
    return {
        row[0]: Breaker(state=BreakerState(row[1]), failures=row[2], wait_seconds=row[3] or 0.0, until=row[4])
        for row in rows
    }


class Breakers:
    """The room of the breaker."""

    def __init__(self, database: Database, *, open_seconds: float = OPEN_SECONDS) -> None:
        self._database = database
        self._open_seconds = open_seconds

    async def read(self, tenant: str, provider: str) -> Breaker:
        """Read a breaker; one that never failed has no row."""
        rows = await self._database.fetch(_READ, (tenant, provider))
        if not rows:
            return Breaker()
        return Breaker(state=BreakerState(rows[0][0]), failures=rows[0][1], wait_seconds=rows[0][2] or 0.0)

    async def shut(self, providers: Sequence[str]) -> Mapping[tuple[str, BreakerState], int]:
        """Count the tenants for whom a provider's breaker is open, or waits for its probe."""
        rows = await self._database.fetch(_SHUT, (list(providers),))
        return {(provider, BreakerState(state)): count for provider, count, state in rows}

    async def fail(self, tenant: str, provider: str, token: UUID | None) -> None:
        """Count a failure of the provider; the fifth in a row, or that of the probe, opens it."""
        values = {
            "tenant": tenant,
            "provider": provider,
            "limit": FAILURES_TO_OPEN,
            "open": self._open_seconds,
            "token": token,
        }
        await self._database.run(_FAIL, values)

    async def succeed(self, tenant: str, provider: str, token: UUID | None) -> None:
        """Close it: the run of failures is over, or the probe came through."""
        await self._database.run(_SUCCEED, (tenant, provider, token))

    async def try_probe(self, tenant: str, provider: str, token: UUID) -> bool:
        """Ask to be the one probe, across all processes. A probe that died frees its place after its time."""
        return bool(await self._database.fetch(_PROBE, (token, PROBE_SECONDS, tenant, provider)))

    async def release(self, tenant: str, provider: str, token: UUID) -> None:
        """Free the place of a probe that called nothing."""
        await self._database.run(_RELEASE, (tenant, provider, token))
