"""What is asked of providers to take messages back, and the corrections that follow where they cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.outcomes import Outcome
from shared.saga import Saga
from shared.saga.owed import FIRST_LOOK_SECONDS
from shared.statuses import Channel, OutcomeKind
from shared.store.columns import Documents, Integers, Texts, Uuids, transposed
from shared.store.database import Connection

CORRECTION_SOURCE = "carillon/compensate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What a provider holds of one channel of a notification, and what it said when it was last asked.

    `message_ids` are the provider's own, of every attempt that it took. `is_in_doubt` says that it may hold another
    one, of which nobody knows the id.
    """

    notification_id: UUID
    channel: Channel
    tries: int
    outcome: OutcomeKind | None = None
    reason: str = ""
    message_ids: tuple[str, ...] = field(default=(), repr=False)
    is_in_doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A message that follows one that could not be taken back: a notification of its own."""

    id: UUID
    corrects: UUID
    channel: Channel
    workflow: dict[str, Any]


_BEGIN = """
WITH asked AS (
    INSERT INTO undoings AS u (notification_id, channel, epoch, tenant)
    SELECT * FROM unnest(%b::uuid[], %b::text[], %b::int[], %b::text[])
    ON CONFLICT (notification_id, channel, epoch)
    DO UPDATE SET tries = u.tries + 1, updated_at = clock_timestamp()
    RETURNING notification_id, channel, tries, outcome, reason
)
SELECT notification_id, channel, tries, outcome, reason,
       (SELECT array_agg(a.provider_message_id ORDER BY a.ended_at) FROM attempts a
        WHERE a.notification_id = asked.notification_id AND a.channel = asked.channel
          AND a.outcome = 'accepted' AND a.provider_message_id IS NOT NULL),
       EXISTS (SELECT FROM attempts a
               WHERE a.notification_id = asked.notification_id AND a.channel = asked.channel
                 AND a.ambiguous AND a.provider_message_id IS NULL)
FROM asked
"""
_NOTE = """
UPDATE undoings u SET outcome = s.outcome, code = s.code, reason = s.reason, updated_at = clock_timestamp()
FROM unnest(%b::uuid[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[])
    AS s(notification_id, channel, epoch, outcome, code, reason)
WHERE u.notification_id = s.notification_id AND u.channel = s.channel AND u.epoch = s.epoch
"""
_CORRECT = f"""
INSERT INTO notifications (id, tenant, user_id, event_type, source, body_hash, data, preferred, correlation_id,
                           traceparent, collapse_key, own_workflow, status, expires_at, next_look_at)
SELECT c.id, n.tenant, n.user_id, n.event_type, '{CORRECTION_SOURCE}', uuid_send(c.id),
       n.data - 'options' || jsonb_build_object('corrects', n.id), c.channel, n.correlation_id, n.traceparent,
       CASE WHEN c.channel = 'push' THEN n.collapse_key END,  -- it takes the place of the first on the device
       c.workflow, 'pending', clock_timestamp() + interval '24 hours',
       clock_timestamp() + interval '{FIRST_LOOK_SECONDS} seconds'
FROM unnest(%b::uuid[], %b::uuid[], %b::text[], %b::jsonb[]) AS c(id, corrects, channel, workflow)
JOIN notifications n ON n.id = c.corrects
ON CONFLICT (id) DO NOTHING
"""  # noqa: S608 - constants of ours


async def begin(connection: Connection, asked: Sequence[tuple[Saga, Channel]]) -> list[Undoing]:
    """Count a try for each, and read what is to be taken back. One that is settled is read as it was settled."""
    if not asked:
        return []
    rows = [(saga.id, channel.value, saga.epoch, saga.tenant) for saga, channel in asked]
    columns = transposed((Uuids, Texts, Integers, Texts), rows)
    return [_undoing(row) for row in await (await connection.execute(_BEGIN, columns)).fetchall()]


async def note(connection: Connection, said: Sequence[tuple[Saga, Channel, Outcome]]) -> None:
    """Keep what providers said, and whether it is the last word."""
    if said:
        rows = [(saga.id, channel.value, saga.epoch, o.kind.value, o.code, o.reason) for saga, channel, o in said]
        columns = transposed((Uuids, Texts, Integers, Texts, Texts, Texts), rows)
        await connection.execute(_NOTE, columns)


async def correct(connection: Connection, corrections: Sequence[Correction]) -> None:
    """Keep corrections as notifications to be sent; each once."""
    if corrections:
        rows = [(one.id, one.corrects, one.channel.value, one.workflow) for one in corrections]
        await connection.execute(_CORRECT, transposed((Uuids, Uuids, Texts, Documents), rows))


def _undoing(row: tuple[Any, ...]) -> Undoing:
    return Undoing(
        notification_id=row[0],
        channel=Channel(row[1]),
        tries=row[2],
        outcome=OutcomeKind(row[3]) if row[3] else None,
        reason=row[4],
        message_ids=tuple(row[5] or ()),
        is_in_doubt=row[6],
    )
