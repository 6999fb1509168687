"""Keep submissions, many at once in one statement, and announce what is committed, beside the answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from functions.ingest.requests import Item
from shared import outbox
from shared.broker import Message
from shared.coalesce import Coalescer
from shared.errors import BacklogFull, Refused
from shared.ids import notification_id
from shared.quick import quick
from shared.runtime import Resources
from shared.saga import EventOwed
from shared.store.fan_outs import NewFanOut
from shared.store.intake import Kept, NewNotification
from shared.submissions import FanOut, Submission, write_event
from shared.wishes import Priority

SOURCE = "ingest"
BACKLOG_CACHE_SECONDS = 2.0
MOST_WAITING = 5_000
"""So many accepted requests wait in memory for their commit; beyond, clients are told to come again."""

MOST_ANNOUNCEMENTS = 20_000
"""So many accepted events wait in memory for their confirm; beyond, the sweep announces them from the rows."""

OWED = EventOwed()

log = logging.getLogger(__name__)


@quick
@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to one submission."""

    id: UUID
    status: str


@dataclass(frozen=True, slots=True)
class FannedOut:
    """The answer to one event for many users."""

    id: UUID
    status: str
    total: int


Answer = Accepted | FannedOut | Refused


class Acceptance:
    """The intake of one process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._keeping: Coalescer[NewNotification, tuple[Kept, str]] = Coalescer(self._keep, max_size=500, flushers=2)
        self._announcing: Coalescer[Message, None] = Coalescer(self._publish, max_size=500, flushers=2)
        self._backlog: tuple[float, int] | None = None
        self._limit = resources.settings.intake_backlog_max
        self._size = resources.metrics.set_size.labels(SOURCE)

    async def accept_one(self, item: Item) -> Accepted | FannedOut:
        """Keep one, as `accept` does.

        Raises:
            Refused: why it is not kept.
        """
        if not isinstance(item, Submission):
            (answer,) = await self.accept([item])
        else:
            await self._check_backlog()
            if shed := self._shed(item):
                raise shed
            row = item.row()
            answer = self._judge(row, await self._keeping.submit(row))
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def accept(self, items: Sequence[Item]) -> list[Answer]:
        """Keep a set; return for each its id, or why not. What is returned as accepted is committed.

        Raises:
            BacklogFull: as much waits as may wait.
            DatabaseUnavailable: nothing was kept, or it is not known; the same request again is safe.
        """
        await self._check_backlog()
        answers: dict[int, Answer] = {}
        rows: dict[int, NewNotification] = {}
        for place, item in enumerate(items):
            if isinstance(item, Submission):
                shed = self._shed(item)
                if shed:
                    answers[place] = shed
                else:
                    rows[place] = item.row()
            else:
                answers[place] = item if isinstance(item, Refused) else await self._keep_fan_out(item)
        kept = await self._keeping.submit_all(list(rows.values()))
        judged = {place: self._judge(row, result) for (place, row), result in zip(rows.items(), kept, strict=True)}
        answers |= judged
        return [answers[place] for place in range(len(items))]

    async def _keep_fan_out(self, item: FanOut) -> FannedOut | Refused:
        shed = self._shed(item.event)
        if shed:
            return shed
        event = item.event
        kept, expanded = await self._resources.store.fan_outs.keep(
            NewFanOut(
                id=item.id,
                tenant=event.tenant,
                event_type=event.event_type,
                body_hash=item.body_hash,
                event=write_event(event),
                user_ids=item.user_ids,
                traceparent=event.traceparent,
                rival=notification_id(event.tenant, event.source, event.key, "")
                if item.is_key_of_request and event.key
                else None,
            )
        )
        if kept is Kept.CONFLICT:
            return _used_before()
        total = len(item.user_ids)
        if expanded < total:
            about = outbox.About(item.id, event.tenant, traceparent=event.traceparent)
            self._announcing.enqueue([outbox.fan_out(SOURCE, about, expanded)])
        return FannedOut(item.id, "expanded" if expanded == total else "expanding", total)

    async def close(self) -> None:
        """Announce what was accepted, as far as the broker takes it; the sweep owes the rest."""
        await self._keeping.close()
        await self._announcing.close()

    def _shed(self, item: Submission) -> Refused | None:
        """Refuse what has a low priority while half as much waits as may wait."""
        if item.wishes.priority is not Priority.LOW or self._waiting() * 2 < self._limit:
            return None
        return Refused(
            503,
            "Temporarily unavailable",
            "Much waits, and this has a low priority. Try again later.",
            retry_after_seconds=BacklogFull.retry_after_seconds,
        )

    def _judge(self, row: NewNotification, result: tuple[Kept, str] | BaseException) -> Accepted | Refused:
        if isinstance(result, BaseException):
            raise result
        kept, status = result
        if kept is Kept.CONFLICT:
            return _used_before()
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

    async def _keep(self, rows: Sequence[NewNotification]) -> Sequence[tuple[Kept, str]]:
        self._size.observe(len(rows))
        answers = await self._resources.store.intake.keep(rows)
        self._announce([row for row, answer in zip(rows, answers, strict=True) if _is_waiting(answer)])
        return answers

    async def _publish(self, messages: Sequence[Message]) -> Sequence[None]:
        refused = sum(1 for failure in await self._resources.publish(messages) if failure is not None)
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
        if self._waiting() >= self._limit:
            raise BacklogFull("as many notifications wait as may wait")

    def _waiting(self) -> int:
        return self._backlog[1] if self._backlog else 0


def _is_waiting(answer: tuple[Kept, str]) -> bool:
    kept, status = answer
    return kept is not Kept.CONFLICT and status == "pending"


def _used_before() -> Refused:
    return Refused(422, "Key used before", "The same id or idempotency key was accepted with another body.")
