"""Claims in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from shared.saga import Delivery, OnAmbiguous, Why
from shared.saga.state import MAX_TAKEOVERS
from shared.statuses import UNDER_WAY, Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import LEASE_SECONDS, Claim, Claims, Command, Recorded, Verdict
from tests.simulation.store.devices import forget
from tests.simulation.store.engine import Memory, Transaction
from tests.simulation.store.facts import address_of, left_alone_on, obstacle
from tests.simulation.store.places import has_place, is_refused, seat, take_turns
from tests.simulation.store.recording import abandon, give_back, postpone, record_set, shelve, suppress
from tests.simulation.store.rows import DeliveryRow, NotificationRow

D = DeliveryStatus
TAKEOVER, LOST, QUIET, SHELVED = "takeover", "lost", "quiet", "shelved"
_VERDICTS = {TAKEOVER: Verdict.CLAIMED, LOST: Verdict.RECORDED, QUIET: Verdict.EARLY, SHELVED: Verdict.EARLY}


class MemoryClaims(Claims):
    """The room of the deliver steps."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def _take(self, channel: Channel, rows: Sequence[Command]) -> dict[Command, Claim]:
        return await self._memory.run(partial(_take_set, channel, self._given(rows)))

    async def _judge(self, channel: Channel, rows: Sequence[Command]) -> dict[Command, Claim]:
        return await self._memory.run(partial(_judge_set, channel, self._given(rows)))

    async def _seat(self, channel: Channel, rows: Sequence[Command]) -> None:
        async with self._memory.transaction() as transaction:
            await transaction.run(partial(take_turns, rows))
            await transaction.run(partial(seat, channel, rows))

    def _given(self, commands: Sequence[Command]) -> dict[Command, UUID]:
        return {command: self._memory.new_uuid() for command in commands}

    async def record(self, channel: Channel, items: Sequence[Recorded]) -> None:
        """Keep the outcomes of a set of attempts; also those whose claim was lost to somebody else."""
        said = sorted(items, key=lambda item: (item.command.notification_id, item.token))
        async with self._memory.transaction() as transaction:
            await transaction.run(partial(record_set, channel, said))
            for item in sorted(said, key=lambda item: (item.tenant, item.address or "")):
                await transaction.run(partial(suppress, channel, item))
            await transaction.run(
                partial(forget, [(one.tenant, dead) for one in said for dead in one.outcome.dead_devices])
            )

    async def give_back(self, channel: Channel, unused: Sequence[tuple[Command, UUID]]) -> None:
        """Undo claims under which nothing was called."""
        rows = sorted((command.notification_id, token) for command, token in unused)
        await self._memory.run(partial(give_back, channel, rows))

    async def postpone(self, channel: Channel, command: Command, *, seconds: float, why: str) -> float:
        """Let an attempt wait for its provider; no try is used up. Return in how many seconds it is due."""
        return await self._memory.run(partial(postpone, channel, command, seconds, why))


def _take_set(channel: Channel, given: dict[Command, UUID], tx: Transaction) -> dict[Command, Claim]:
    """Claim what nothing speaks against."""
    answers = {}
    for command, token in given.items():
        key = (command.notification_id, channel)
        row, notification = tx.get(tx.memory.deliveries, key), tx.get(tx.memory.notifications, command.notification_id)
        if row is None or notification is None or not _is_free(row, notification, command, tx):
            continue
        newest = tx.lock(tx.memory.deliveries, key)
        if newest is not None and _is_free(newest, notification, command, tx):
            answers[command] = _claim(tx, newest, notification, command, token)
    return answers


def _is_free(row: DeliveryRow, of: NotificationRow, command: Command, tx: Transaction) -> bool:
    until = _left_alone_until(tx, of, row)
    is_free = _judge(row.delivery, of, command, tx.memory.now(), until) == Verdict.CLAIMED
    return is_free and has_place(tx, of, row.delivery)


def _left_alone_until(tx: Transaction, of: NotificationRow, row: DeliveryRow) -> datetime | None:
    found = left_alone_on(tx, row.tenant, of.user_id, of.saga.plan.category)
    return found.get(row.delivery.channel)


def _judge_set(channel: Channel, given: dict[Command, UUID], tx: Transaction) -> dict[Command, Claim]:
    locked = {}
    for command in given:
        key = (command.notification_id, channel)
        if tx.get(tx.memory.deliveries, key) is not None:
            locked[command] = tx.lock(tx.memory.deliveries, key)
    answers = {}
    for command, token in given.items():
        row = locked.get(command)
        notification = tx.get(tx.memory.notifications, command.notification_id)
        if row is None or notification is None:
            answers[command] = Claim(verdict=Verdict.MISSING)
        else:
            answers[command] = _claim(tx, row, notification, command, token)
    return answers


def _claim(tx: Transaction, row: DeliveryRow, of: NotificationRow, command: Command, token: UUID) -> Claim:
    now, held = tx.memory.now(), row.delivery
    until = _left_alone_until(tx, of, row)
    verdict = _judge(held, of, command, now, until)
    if verdict == Verdict.CLAIMED and not has_place(tx, of, held):
        return Claim(verdict=Verdict.CAPPED)
    if verdict in (TAKEOVER, LOST, SHELVED):
        abandon(tx, row, now)
    if verdict in (QUIET, SHELVED) and until is not None:
        shelve(tx, row, until, is_takeover=verdict == SHELVED)
        held = held.but(due_at=until)
    if verdict in (Verdict.CLAIMED, TAKEOVER, LOST):
        key = (row.notification_id, held.channel)
        tx.put(tx.memory.deliveries, key, row.but(delivery=_taken(held, verdict, token, now), claimed_at=now))
    user = tx.get(tx.memory.users, (row.tenant, of.user_id))
    category = of.saga.plan.category
    why = obstacle(tx, row.tenant, of.user_id, category, held.channel, is_superseded=_is_superseded(tx, of))
    if why in (None, Why.SUPERSEDED, Why.SUPPRESSED) and is_refused(tx, of, held):
        why = Why.CAPPED
    return Claim(
        verdict=_VERDICTS.get(verdict) or Verdict(verdict),
        token=token if verdict in (Verdict.CLAIMED, TAKEOVER) else held.token,
        outcome="ambiguous" if verdict == LOST else held.outcome.value if held.outcome else None,
        tenant=row.tenant,
        user_id=of.user_id,
        address=address_of(tx, row.tenant, user, held.channel),
        content=row.content or {},
        withheld=why.value if why else None,
        remaining_seconds=(held.due_at - now).total_seconds() if held.due_at else 0.0,
        traceparent=of.saga.traceparent,
        accepted_seconds_ago=(now - max(of.saga.created_at, of.saga.send_at or of.saga.created_at)).total_seconds(),
        expires_in_seconds=(of.saga.expires_at - now).total_seconds(),
        collapse_key=of.collapse_key,
        word=verdict,
        in_doubt_for_seconds=_in_doubt(tx, row, is_abandoned=verdict in (TAKEOVER, LOST)),
    )


def _is_superseded(tx: Transaction, of: NotificationRow) -> bool:
    """Tell whether a newer notification has the same key."""
    key = (of.saga.tenant, of.user_id, of.collapse_key)
    return of.collapse_key is not None and any(
        (other.saga.tenant, other.user_id, other.collapse_key) == key and other.saga.created_at > of.saga.created_at
        for other in tx.all(tx.memory.notifications).values()
    )


def _in_doubt(tx: Transaction, row: DeliveryRow, *, is_abandoned: bool) -> float | None:
    """Tell how long ago the first attempt began that may have been taken; one that was abandoned now is among them."""
    held = row.delivery
    if held.attempt == 1 and not held.takeovers and not is_abandoned:
        return None
    began = [
        attempt.started_at
        for attempt in tx.all(tx.memory.attempts).values()
        if attempt.notification_id == row.notification_id
        and (attempt.said.channel, attempt.said.epoch) == (held.channel, held.epoch)
        and attempt.said.outcome is OutcomeKind.AMBIGUOUS
        and attempt.started_at is not None
    ]
    return (tx.memory.now() - min(began)).total_seconds() if began else None


def _judge(held: Delivery, of: NotificationRow, command: Command, now: datetime, until: datetime | None) -> str:
    saga, is_sending = of.saga, held.status is D.SENDING
    if (held.epoch, held.attempt) != (command.epoch, command.attempt):
        return Verdict.STALE
    if is_sending and held.outcome is not None:
        return Verdict.RECORDED
    if held.status not in UNDER_WAY or saga.status is not NotificationStatus.QUEUED:
        return Verdict.STALE
    if is_sending and held.lease_until is not None and held.lease_until > now:
        return Verdict.LEASED
    if is_sending:
        is_last = held.takeovers + 1 >= MAX_TAKEOVERS or held.tries >= saga.plan.max_tries
        is_last |= saga.plan.on_ambiguous is OnAmbiguous.HOLD or saga.cancelled_by is not None
        if is_last or saga.expires_at <= now:
            return LOST
        return SHELVED if until else TAKEOVER
    if saga.expires_at <= now or saga.cancelled_by is not None:
        return Verdict.EXPIRED
    if held.due_at is not None and held.due_at > now:
        return Verdict.EARLY
    return QUIET if until else Verdict.CLAIMED


def _taken(held: Delivery, verdict: str, token: UUID, now: datetime) -> Delivery:
    if verdict == LOST:
        lost = held.but(takeovers=held.takeovers + 1, outcome=OutcomeKind.AMBIGUOUS, lease_until=None)
        return lost.but(status=D.SENDING)
    return held.but(
        status=D.SENDING,
        takeovers=held.takeovers + (verdict == TAKEOVER),
        tries=held.tries + 1,
        outcome=None,
        token=token,
        lease_until=now + timedelta(seconds=LEASE_SECONDS),
    )
