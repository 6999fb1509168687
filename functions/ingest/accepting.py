"""Keep submissions, many at once in one statement, and announce them after the answer is safe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from functions.ingest.requests import Submission
from shared import outbox
from shared.broker import Message
from shared.coalesce import Coalescer
from shared.errors import BacklogFull, Refused
from shared.ids import notification_id
from shared.new_ids import new_id
from shared.runtime import Resources
from shared.saga import EventOwed
from shared.store.intake import Kept, NewNotification

SOURCE = "ingest"
BACKLOG_CACHE_SECONDS = 2.0
MOST_WAITING = 5_000
"""So many accepted requests wait in memory for their commit; beyond, clients are told to come again."""

MOST_ANNOUNCEMENTS = 20_000
"""So many accepted events wait in memory for their confirm; beyond, the sweep announces them from the rows."""

OWED = EventOwed()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to one submission."""

    id: UUID
    status: str


class Acceptance:
    """The intake of one process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._keeping: Coalescer[NewNotification, tuple[Kept, str]] = Coalescer(
            resources.store.intake.keep, max_size=500, flushers=2
        )
        self._announcing: Coalescer[Message, None] = Coalescer(self._publish, max_size=500, flushers=2)
        self._backlog: tuple[float, int] | None = None

    async def accept_one(self, submission: Submission | Refused) -> Accepted:
        """Keep one submission, as `accept` does.

        Raises:
            Refused: why it is not kept.
        """
        if isinstance(submission, Refused):
            raise submission
        await self._check_backlog()
        row = _row(submission)
        answer = self._judge(row, await self._keeping.submit(row))
        if isinstance(answer, Refused):
            raise answer
        if _is_waiting(answer):
            self._announce([row])
        return answer

    async def accept(self, submissions: Sequence[Submission | Refused]) -> list[Accepted | Refused]:
        """Keep a set; return for each its id, or why not. What is returned as accepted is committed.

        Raises:
            BacklogFull: as much waits as may wait.
            DatabaseUnavailable: nothing was kept, or it is not known; the same request again is safe.
        """
        await self._check_backlog()
        rows = {place: _row(item) for place, item in enumerate(submissions) if isinstance(item, Submission)}
        kept = await self._keeping.submit_all(list(rows.values()))
        judged = {place: self._judge(row, result) for (place, row), result in zip(rows.items(), kept, strict=True)}
        self._announce([rows[place] for place, answer in judged.items() if _is_waiting(answer)])
        return [item if isinstance(item, Refused) else judged[place] for place, item in enumerate(submissions)]

    async def close(self) -> None:
        """Announce what was accepted, as far as the broker takes it; the sweep owes the rest."""
        await self._keeping.close()
        await self._announcing.close()

    def _judge(self, row: NewNotification, result: tuple[Kept, str] | BaseException) -> Accepted | Refused:
        if isinstance(result, BaseException):
            raise result
        kept, status = result
        if kept is Kept.CONFLICT:
            return Refused(422, "Key used before", "The same id or idempotency key was accepted with another body.")
        if kept is Kept.NEW:
            self._resources.metrics.accepted.inc()
        return Accepted(row.id, status)

    def _announce(self, rows: Sequence[NewNotification]) -> None:
        """Publish beside the answer. A copy of a known event is announced too, while its saga has not begun."""
        room = max(0, MOST_ANNOUNCEMENTS - len(self._announcing))
        self._announcing.enqueue(
            [
                outbox.write(SOURCE, outbox.About(row.id, row.tenant, traceparent=row.traceparent), OWED)
                for row in rows[:room]
            ]
        )

    async def _publish(self, messages: Sequence[Message]) -> Sequence[None]:
        refused = sum(1 for failure in await self._resources.broker.publish(messages) if failure is not None)
        if refused:
            self._resources.metrics.publish_refused.labels(SOURCE).inc(refused)
        return [None] * len(messages)

    async def _check_backlog(self) -> None:
        if len(self._keeping) >= MOST_WAITING:
            raise BacklogFull("as many requests wait for the database as may wait")
        now = asyncio.get_running_loop().time()
        if self._backlog is None or now - self._backlog[0] > BACKLOG_CACHE_SECONDS:
            known = self._backlog[1] if self._backlog else 0
            self._backlog = (now, known)  # meanwhile the others go by what was known
            self._backlog = (now, await self._resources.store.gauges.backlog())
        if self._backlog[1] >= self._resources.settings.intake_backlog_max:
            raise BacklogFull("as many notifications wait as may wait")


def _is_waiting(answer: Accepted | Refused) -> bool:
    return isinstance(answer, Accepted) and answer.status == "pending"


def _row(item: Submission) -> NewNotification:
    key = notification_id(item.tenant, item.source, item.key, item.user_id) if item.key else new_id()
    return NewNotification(
        id=key,
        tenant=item.tenant,
        user_id=item.user_id,
        event_type=item.event_type,
        source=item.source,
        body_hash=item.body_hash,
        data=item.data,
        preferred=item.preferred_channel.value if item.preferred_channel else None,
        event_time=item.event_time,
        correlation_id=item.correlation_id,
        traceparent=item.traceparent,
        expires_at=item.expires_at,
        collapse_key=item.collapse_key,
    )
