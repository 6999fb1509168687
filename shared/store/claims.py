"""Claims: the lease and token under which one attempt is made, taken and settled by the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from shared.outcomes import Outcome
from shared.saga.state import MAX_TAKEOVERS
from shared.statuses import Channel
from shared.store.database import Connection, Database

LEASE_SECONDS = 60

ADDRESS = {
    Channel.EMAIL: "u.email",
    Channel.SMS: "u.phone",
    Channel.WHATSAPP: "u.phone",
    Channel.TELEGRAM: "u.telegram",
    Channel.WEBSOCKET: "u.id",
    Channel.PUSH: "NULL::text",
}
"""Where a channel's address stands in the row of a user."""


class Verdict(StrEnum):
    """What a command finds when it asks for its claim."""

    CLAIMED = "claimed"  # the attempt is yours, under the returned token
    EARLY = "early"  # due later
    LEASED = "leased"  # somebody else works on it; the sweep looks when the lease ends
    RECORDED = "recorded"  # its outcome is recorded; announce it again
    EXPIRED = "expired"  # too late; the saga must look
    STALE = "stale"  # an older attempt or epoch, or finished: nothing to do
    MISSING = "missing"  # there is no such delivery


@dataclass(frozen=True, slots=True)
class Command:
    """The attempt that a command asks for."""

    notification_id: UUID
    attempt: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The answer to one command. `remaining_seconds` is until it is due; `withheld` why it must not be sent."""

    verdict: Verdict
    token: UUID | None = None
    outcome: str | None = None
    tenant: str = ""
    user_id: str = ""
    address: str | None = field(default=None, repr=False)
    content: dict[str, Any] = field(default_factory=dict, repr=False)
    withheld: str | None = None
    remaining_seconds: float = 0.0
    traceparent: str | None = None
    accepted_seconds_ago: float = 0.0


_CLAIM = """
WITH wanted AS MATERIALIZED (
    SELECT w.*, %b::text AS channel
    FROM unnest(%b::uuid[], %b::int[], %b::int[], %b::uuid[]) AS w(id, attempt, epoch, token)
), locked AS (
    SELECT d.notification_id, d.tenant, d.status, d.epoch, d.attempt, d.tries, d.takeovers, d.due_at, d.lease_until,
           d.claimed_at, d.token AS held, d.outcome, d.content,
           d.channel, w.attempt AS wanted_attempt, w.epoch AS wanted_epoch, w.token AS given
    FROM wanted w JOIN deliveries d ON d.notification_id = w.id AND d.channel = w.channel
    ORDER BY d.notification_id FOR UPDATE OF d
), judged AS (
    SELECT l.*, n.user_id, n.traceparent, n.created_at, n.plan,
        CASE
            WHEN l.epoch <> l.wanted_epoch OR l.attempt <> l.wanted_attempt THEN 'stale'
            WHEN l.status = 'sending' AND l.outcome IS NOT NULL THEN 'recorded'
            WHEN l.status NOT IN ('queued', 'retrying', 'deferred', 'sending') OR n.status <> 'queued' THEN 'stale'
            WHEN l.status = 'sending' AND l.lease_until > clock_timestamp() THEN 'leased'
            WHEN l.status = 'sending' AND (
                l.takeovers + 1 >= {max_takeovers} OR l.tries >= COALESCE((n.plan->>'max_tries')::int, 4)
                OR n.plan->>'on_ambiguous' = 'hold' OR n.expires_at <= clock_timestamp()) THEN 'lost'
            WHEN l.status = 'sending' THEN 'takeover'
            WHEN n.expires_at <= clock_timestamp() THEN 'expired'
            WHEN l.due_at > clock_timestamp() THEN 'early'
            ELSE 'claimed'
        END AS verdict
    FROM locked l JOIN notifications n ON n.id = l.notification_id
), abandoned AS (
    INSERT INTO attempts (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, code, reason,
                          started_at)
    SELECT notification_id, held, tenant, channel, epoch, attempt, 'ambiguous', true, 'lease expired',
           'whoever held the claim did not come back in time', claimed_at
    FROM judged WHERE verdict IN ('takeover', 'lost') AND held IS NOT NULL
    ON CONFLICT (notification_id, token) DO NOTHING
), updated AS (
    UPDATE deliveries d
    SET status = 'sending', updated_at = clock_timestamp(),
        takeovers = d.takeovers + (j.verdict <> 'claimed')::int,
        outcome = CASE WHEN j.verdict = 'lost' THEN 'ambiguous' END,
        token = CASE WHEN j.verdict = 'lost' THEN d.token ELSE j.given END,
        tries = d.tries + (j.verdict <> 'lost')::int,
        claimed_at = clock_timestamp(),
        lease_until = CASE WHEN j.verdict <> 'lost' THEN clock_timestamp() + interval '{lease} seconds' END
    FROM judged j
    WHERE j.verdict IN ('claimed', 'takeover', 'lost')
      AND d.notification_id = j.notification_id AND d.channel = j.channel
)
SELECT j.notification_id, j.verdict, CASE WHEN j.verdict IN ('claimed', 'takeover') THEN j.given ELSE j.held END,
       j.outcome, j.tenant, j.user_id, {address}, j.content,
       CASE
           WHEN u.id IS NULL THEN 'nobody knows this user'
           WHEN {address} IS NULL THEN 'the user has no address for this channel'
           WHEN EXISTS (SELECT FROM preferences p WHERE p.tenant = j.tenant AND p.user_id = j.user_id
                        AND p.category IN (COALESCE(j.plan->>'category', 'general'), '*') AND p.channel = j.channel
                        AND NOT p.enabled) THEN 'the user does not want this category here'
           WHEN EXISTS (SELECT FROM suppressions s WHERE s.tenant = j.tenant AND s.channel = j.channel
                        AND s.address = {address}) THEN 'the address is suppressed'
       END,
       EXTRACT(EPOCH FROM j.due_at - clock_timestamp())::float8, j.traceparent,
       EXTRACT(EPOCH FROM clock_timestamp() - j.created_at)::float8, j.wanted_attempt, j.wanted_epoch
FROM judged j LEFT JOIN users u ON u.tenant = j.tenant AND u.id = j.user_id
"""
_VERDICTS = {"takeover": Verdict.CLAIMED, "lost": Verdict.RECORDED}

_RECORD = """
WITH said AS MATERIALIZED (
    SELECT s.*, %b::text AS channel
    FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::int[], %b::text[], %b::bool[], %b::text[],
                         %b::text[], %b::text[], %b::text[], %b::float8[], %b::float8[])
        AS s(id, token, tenant, epoch, attempt, outcome, withheld, code, reason, provider, provider_message_id,
             retry_after_seconds, took_seconds)
), locked AS (
    SELECT d.notification_id FROM said s JOIN deliveries d ON d.notification_id = s.id AND d.channel = s.channel
    ORDER BY d.notification_id FOR UPDATE OF d
), marked AS (
    UPDATE deliveries d SET outcome = s.outcome, lease_until = NULL, updated_at = clock_timestamp()
    FROM said s JOIN locked l ON l.notification_id = s.id
    WHERE d.notification_id = s.id AND d.channel = s.channel AND d.token = s.token AND d.status = 'sending'
      AND d.outcome IS NULL
)
INSERT INTO attempts AS a (notification_id, token, tenant, channel, epoch, attempt, outcome, ambiguous, withheld, code,
                           reason, provider, provider_message_id, retry_after_seconds, started_at)
SELECT s.id, s.token, s.tenant, s.channel, s.epoch, s.attempt, s.outcome, s.outcome = 'ambiguous', s.withheld, s.code,
       s.reason, s.provider, s.provider_message_id, s.retry_after_seconds,
       clock_timestamp() - s.took_seconds * interval '1 second'
FROM said s ORDER BY s.id
ON CONFLICT (notification_id, token) DO UPDATE
SET outcome = EXCLUDED.outcome, code = EXCLUDED.code, reason = EXCLUDED.reason, provider = EXCLUDED.provider,
    provider_message_id = EXCLUDED.provider_message_id, ended_at = clock_timestamp()
WHERE a.outcome = 'ambiguous'
"""
_GIVE_BACK = """
WITH unused AS MATERIALIZED (
    SELECT u.*, %b::text AS channel FROM unnest(%b::uuid[], %b::uuid[]) AS u(id, token)
), locked AS (
    SELECT d.notification_id FROM unused u JOIN deliveries d ON d.notification_id = u.id AND d.channel = u.channel
    ORDER BY d.notification_id FOR UPDATE OF d
)
UPDATE deliveries d SET status = 'queued', token = NULL, lease_until = NULL, tries = GREATEST(d.tries - 1, 0),
       updated_at = clock_timestamp()
FROM unused u JOIN locked l ON l.notification_id = u.id
WHERE d.notification_id = u.id AND d.channel = u.channel AND d.token = u.token AND d.status = 'sending'
  AND d.outcome IS NULL
"""
_POSTPONE = """
WITH postponed AS (
    UPDATE deliveries
    SET status = 'deferred', due_at = GREATEST(due_at, clock_timestamp() + %b * interval '1 second'), reason = %b,
        updated_at = clock_timestamp()
    WHERE notification_id = %b AND channel = %b AND attempt = %b AND epoch = %b
      AND status IN ('queued', 'retrying', 'deferred')
    RETURNING notification_id, due_at
)
INSERT INTO timeline (notification_id, entries) SELECT notification_id, %b FROM postponed
"""
_SUPPRESS = """
INSERT INTO suppressions (tenant, channel, address, reason) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The outcome of one claimed attempt, to be kept."""

    command: Command
    token: UUID
    tenant: str
    outcome: Outcome
    took_seconds: float
    withheld: bool = False
    address: str | None = field(default=None, repr=False)


class Claims:
    """The room of the deliver steps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, channel: Channel, commands: Sequence[Command]) -> list[Claim]:
        """Ask for a set of attempts; a copy within the set finds the lease of the first.

        The same statement re-checks preference and suppression, and hands out contact and content.
        """
        first: dict[Command, int] = {}
        for place, command in enumerate(commands):
            first.setdefault(command, place)
        rows = sorted(first, key=lambda row: (row.notification_id, row.attempt, row.epoch))
        values = (
            channel.value,
            [row.notification_id for row in rows],
            [row.attempt for row in rows],
            [row.epoch for row in rows],
            [uuid4() for _ in rows],
        )
        statement = _CLAIM.format(address=ADDRESS[channel], lease=LEASE_SECONDS, max_takeovers=MAX_TAKEOVERS)
        answered = await self._database.fetch(statement, values)
        found = {Command(row[0], row[-2], row[-1]): _claim(row) for row in answered}
        missing, leased = Claim(verdict=Verdict.MISSING), Claim(verdict=Verdict.LEASED)
        return [
            found.get(command, missing) if first[command] == place else leased for place, command in enumerate(commands)
        ]

    async def record(self, channel: Channel, items: Sequence[Recorded]) -> None:
        """Keep the outcomes of a set of attempts; also those whose claim was lost to somebody else."""
        rows = sorted(items, key=lambda item: (item.command.notification_id, item.token))
        async with self._database.transaction() as connection:
            await connection.execute(_RECORD, [channel.value, *_columns(rows)])
            await _suppress(connection, channel, rows)

    async def give_back(self, channel: Channel, unused: Sequence[tuple[Command, UUID]]) -> None:
        """Undo claims under which nothing was called."""
        rows = sorted((command.notification_id, token) for command, token in unused)
        await self._database.run(_GIVE_BACK, (channel.value, [row[0] for row in rows], [row[1] for row in rows]))

    async def postpone(self, channel: Channel, command: Command, *, seconds: float, why: str) -> None:
        """Let an attempt wait for its provider; no try is used up."""
        line = [{"what": "deferred", "why": why, "channel": channel.value, "detail": {"attempt": command.attempt}}]
        key = (command.notification_id, channel.value, command.attempt, command.epoch)
        await self._database.run(_POSTPONE, (seconds, why, *key, Jsonb(line)))


def _claim(row: tuple[Any, ...]) -> Claim:
    verdict = _VERDICTS.get(row[1]) or Verdict(row[1])
    return Claim(
        verdict=verdict,
        token=row[2],
        outcome="ambiguous" if row[1] == "lost" else row[3],
        tenant=row[4],
        user_id=row[5],
        address=row[6],
        content=row[7] or {},
        withheld=row[8],
        remaining_seconds=row[9] or 0.0,
        traceparent=row[10],
        accepted_seconds_ago=row[11],
    )


def _columns(rows: Sequence[Recorded]) -> list[list[Any]]:
    return [
        [row.command.notification_id for row in rows],
        [row.token for row in rows],
        [row.tenant for row in rows],
        [row.command.epoch for row in rows],
        [row.command.attempt for row in rows],
        [row.outcome.kind.value for row in rows],
        [row.withheld for row in rows],
        [row.outcome.code for row in rows],
        [row.outcome.reason for row in rows],
        [row.outcome.provider for row in rows],
        [row.outcome.provider_message_id for row in rows],
        [row.outcome.retry_after_seconds for row in rows],
        [row.took_seconds for row in rows],
    ]


async def _suppress(connection: Connection, channel: Channel, rows: Sequence[Recorded]) -> None:
    dead = [row for row in rows if row.outcome.suppress and row.address]
    for row in dead:
        await connection.execute(_SUPPRESS, (row.tenant, channel.value, row.address, row.outcome.code))
