"""Who watches a run from outside: what is committed, published, called and told, as it happens."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.broker import Message
from shared.callback_links import Subject
from shared.events import EventType
from shared.outcomes import Letter
from shared.saga import AttemptRecorded, Delivery, Receipt
from shared.statuses import REACHED, TERMINAL, Channel, DeliveryStatus, NotificationStatus, OutcomeKind
from shared.store.claims import Command, Verdict
from shared.store.intake import Kept
from tests.simulation.history import Call, DeliveryMoved, Moved, Wish
from tests.simulation.loop import ACTOR
from tests.simulation.store.engine import Written
from tests.simulation.store.rows import DeliveryRow, NotificationRow

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

N, D, K = NotificationStatus, DeliveryStatus, OutcomeKind
BURIED_AS = {N.FAILED: "notification", N.UNKNOWN: "unknown"}

ENDED_BY_OUTCOME = {
    D.RETRYING: (K.TRANSIENT, K.AMBIGUOUS),
    D.DEFERRED: (K.THROTTLED,),
    D.FAILED: (K.TRANSIENT, K.THROTTLED, K.PERMANENT, K.AMBIGUOUS),
}
"""By which outcomes of its attempt a delivery that is being sent may come to these."""


class Watch:
    """What is seen from outside of every process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._history = world.history
        self._open: set[UUID] = set()
        self._compensated: set[tuple[UUID, int]] = set()
        self._claims: dict[tuple[str, Command], tuple[UUID | None, float]] = {}
        self._leases: dict[tuple[UUID, Channel], tuple[UUID, float]] = {}
        self._sent: set[UUID] = set()
        self.last_moves: list[Moved] = []

    # what is committed

    def committed(self, written: list[Written]) -> None:
        """See one transaction's rows."""
        memory, self.last_moves = self._world.memory, []
        buried = {(row.notification_id, row.epoch) for table, _, _, row in written if table is memory.dead_letters}
        for table, key, before, row in written:
            if table is memory.notifications:
                self._see_notification(before, row, buried)
            elif table is memory.deliveries:
                self._see_delivery(before, row)
            elif table is memory.preferences:
                _, user, category, channel = key
                self._see_wish(user, category, channel, enabled=row)
        self._world.stirred()

    def _see_notification(
        self, before: NotificationRow | None, row: NotificationRow, buried: set[tuple[UUID | None, int]]
    ) -> None:
        world, saga = self._world, row.saga
        if _owes(world, row):
            self._open.add(saga.id)
        else:
            self._open.discard(saga.id)
        old = before.saga if before else None
        if saga.cancelled_by is not None and saga.id not in self._history.cancelled:
            self._history.cancelled[saga.id] = world.now
            stood = old.status if old else saga.status
            self._history.seen[f"called back when {stood}"] += 1
            world.tell("database", "called back", (saga.id,), stood)
        if old is not None and old.status is saga.status:
            return
        if saga.status in (N.SENT, N.DELIVERED):
            self._sent.add(saga.id)
        if saga.status is N.COMPENSATING:
            self._compensated.add((saga.id, saga.epoch))
        moved = Moved(
            at=world.now,
            notification=saga.id,
            before=old.status if old else None,
            after=saga.status,
            epoch_before=old.epoch if old else 0,
            epoch=saga.epoch,
            has_dead_letter=(saga.id, saga.epoch) in buried,
        )
        if old is not None and old.digest_id is None and saga.digest_id is not None:
            self._history.seen["a notification joined a digest"] += 1
        elif saga.digest_id is not None:
            self._history.seen[f"a member of a digest became {saga.status}"] += 1
        self._history.moves.append(moved)
        self.last_moves.append(moved)
        self._history.seen[f"a notification became {saga.status}"] += 1
        world.tell("database", "notification", (saga.id,), old.status if old else "", saga.status, saga.reason)

    def _see_delivery(self, before: DeliveryRow | None, row: DeliveryRow) -> None:
        old, new = (before.delivery if before else None), row.delivery
        if old is not None:
            self._check_outcome(row.notification_id, old, new)
        self._check_lease(row.notification_id, new)
        if old is not None and (old.status, old.epoch, old.due_at) == (new.status, new.epoch, new.due_at):
            return
        moved = DeliveryMoved(
            at=self._world.now,
            notification=row.notification_id,
            channel=new.channel,
            before=old.status if old else None,
            after=new.status,
            epoch=new.epoch,
            reason=new.reason,
            due_at=new.due_at,
        )
        self._history.delivery_moves.append(moved)
        self._history.seen[f"a delivery became {new.status}"] += 1
        details = (new.channel, old.status if old else "", new.status, new.reason, new.due_at)
        self._world.tell("database", "delivery", (row.notification_id,), *details)

    def _check_outcome(self, key: UUID, old: Delivery, new: Delivery) -> None:
        """See that an attempt under way is ended by its own outcome, and by nobody else's."""
        if old.status is not DeliveryStatus.SENDING or new.status not in ENDED_BY_OUTCOME or old.token is None:
            return
        attempt = self._world.memory.attempts.rows.get((key, old.token))
        if attempt is not None and attempt.said.outcome is K.ACCEPTED and self._has_returned(key, new):
            return
        if attempt is None or attempt.said.outcome not in ENDED_BY_OUTCOME[new.status]:
            self._history.violate(
                f"Nobody else's word moves a saga: {key} became {new.status} by no outcome of its own attempt."
            )

    def _has_returned(self, key: UUID, said: Delivery | AttemptRecorded) -> bool:
        """Tell whether the provider has reported that it could not deliver what it had taken."""
        return (key, said.channel, said.epoch, Receipt.FAILED.value) in self._world.memory.receipts.rows

    def _check_lease(self, key: UUID, new: Delivery) -> None:
        """See that nobody gets a claim while another one's lease runs."""
        place, now = (key, new.channel), self._world.now
        token, until = self._leases.get(place, (None, 0.0))
        if new.status is DeliveryStatus.SENDING and new.token is not None and new.lease_until is not None:
            if token not in (None, new.token) and until > now:
                self._history.violate(f"Of many who ask, one may call: {key} was claimed twice at once.")
            self._leases[place] = (new.token, _seconds(self._world, new.lease_until))
        else:
            self._leases.pop(place, None)

    def _see_wish(self, user: str, category: str, channel: Channel, *, enabled: bool) -> None:
        wish = Wish(at=self._world.now, user_id=user, category=category, channel=channel, enabled=enabled)
        self._history.wishes.append(wish)
        self._history.seen["a person changed their mind"] += 1
        self._world.tell(user, "wants" if enabled else "does not want", (), category, channel)

    def has_ended(self) -> bool:
        """Tell whether nothing is owed to anybody, and no success waits for the sweep to announce it."""
        is_quiet = not (self._open or self._fan_out_looks() or self._unheard())
        return is_quiet and not (self._world.weather.has_sweep and (self._late_looks() or self._digest_looks()))

    def _unheard(self) -> bool:
        """Tell whether anything counts as sent that its provider has reported as undeliverable."""
        memory = self._world.memory
        for key, channel, epoch, receipt in memory.receipts.rows:
            row = memory.deliveries.rows.get((key, channel)) if receipt == Receipt.FAILED.value else None
            if row is not None and (row.delivery.status, row.delivery.epoch) == (D.SENT, epoch):
                return True
        return False

    def next_look(self) -> float | None:
        """Say when the sweep must look at the earliest."""
        looks = [row.saga.next_look_at for row in self._world.memory.notifications.rows.values()]
        first = min(
            (
                look
                for look in [*looks, *self._late_looks(), *self._fan_out_looks(), *self._digest_looks()]
                if look is not None
            ),
            default=None,
        )
        return None if first is None else _seconds(self._world, first)

    def _fan_out_looks(self) -> list[datetime]:
        return [row.next_look_at for row in self._world.memory.fan_outs.rows.values() if row.next_look_at is not None]

    def _late_looks(self) -> list[datetime]:
        return [row.next_look_at for row in self._world.memory.attempts.rows.values() if row.next_look_at is not None]

    def _digest_looks(self) -> list[datetime]:
        return [row.next_look_at for row in self._world.memory.digests.rows.values() if row.next_look_at is not None]

    def _is_member(self, key: UUID) -> bool:
        return self._world.memory.notifications.rows[key].saga.digest_id is not None

    def _see_return(self, about: Subject) -> None:
        self._history.seen["a mail came back"] += 1
        row = self._world.memory.deliveries.rows.get((about.notification_id, about.channel))
        if row is not None and row.delivery.epoch == about.epoch and row.delivery.status is D.SENDING:
            self._history.seen["a mail came back before it was known to be sent"] += 1

    # what is published

    def published(self, publisher: Process, message: Message) -> None:
        """See one message reach the broker: what it is about must be committed by then, and it names nobody."""
        events = members_of(message.body)
        if len(events) > 1:
            self._history.seen["a bundle was published"] += 1
        for event in events:
            self._published(publisher, message, event)

    def _published(self, publisher: Process, message: Message, event: dict[str, Any]) -> None:
        data, kind = event["data"], EventType(event["type"])
        self._history.seen[f"published {kind}"] += 1
        if b"@" in message.body or b"About" in message.body:
            self._history.violate("Queues hold no personal data: a message carries an address or a text.")
        if kind is EventType.FAN_OUT_REQUESTED:
            row = self._world.memory.fan_outs.rows.get(UUID(data["fan_out_id"]))
            if row is None or row.expanded < data["position"]:
                self._history.violate(f"Commit comes before publish: {message.id} was published, and no row says so.")
            return
        key = UUID(data["notification_id"])
        if not self._is_committed(kind, key, data):
            self._history.violate(
                f"Commit comes before publish: {publisher.name} published {message.id}, which no row speaks of."
            )

    def is_late_success(self, message: Message) -> bool:
        """Tell whether a message is the word of a success that came after its lease was lost."""
        return any(self._is_late_success(event) for event in members_of(message.body))

    def _is_late_success(self, event: dict[str, Any]) -> bool:
        if event["type"] != EventType.DELIVERY_SUCCEEDED:
            return False
        key = (UUID(event["data"]["notification_id"]), UUID(event["data"]["token"]))
        attempt = self._world.memory.attempts.rows.get(key)
        return attempt is not None and attempt.ambiguous

    def acknowledged(self, body: bytes) -> None:
        """See a message acknowledged: the success that it tells of has won by then."""
        for event in members_of(body):
            self._acknowledged(event)

    def _acknowledged(self, event: dict[str, Any]) -> None:
        if event["type"] != EventType.DELIVERY_SUCCEEDED:
            return
        key, memory = UUID(event["data"]["notification_id"]), self._world.memory
        attempt = memory.attempts.rows.get((key, UUID(event["data"]["token"])))
        row = memory.notifications.rows.get(key)
        if attempt is None or row is None or attempt.said.outcome is not K.ACCEPTED:
            return
        if attempt.ambiguous:
            self._history.seen["a late success"] += 1
        found = memory.deliveries.rows[key, attempt.said.channel].delivery
        is_counted = key in self._sent or found.status in REACHED or self._has_returned(key, attempt.said)
        if not is_counted and row.saga.status is not N.CANCELLED:
            self._history.violate(f"A success wins, however late it is: that of {key} was acknowledged and did not.")

    def _is_committed(self, kind: EventType, key: UUID, data: dict[str, Any]) -> bool:
        memory = self._world.memory
        row = memory.notifications.rows.get(key)
        if row is None or row.saga.epoch < data["epoch"]:
            return False
        if kind in (EventType.DELIVERY_REQUESTED, EventType.NOTIFICATION_DUE):
            found = memory.deliveries.rows.get((key, Channel(data["channel"])))
            wanted = (data["epoch"], data.get("attempt", 0))
            return found is not None and (found.delivery.epoch, found.delivery.attempt) >= wanted
        if kind in (EventType.DELIVERY_SUCCEEDED, EventType.DELIVERY_FAILED):
            return (key, UUID(data["token"])) in memory.attempts.rows
        if kind is EventType.COMPENSATION_REQUESTED:
            return (key, data["epoch"]) in self._compensated
        if kind is EventType.NOTIFICATION_FAILED:
            letters = memory.dead_letters.rows.values()
            return any((letter.notification_id, letter.epoch) == (key, data["epoch"]) for letter in letters)
        return True

    # what is done for processes, and what they are told

    def done(self, process: Process, what: str, values: tuple[Any, ...], result: Any) -> None:
        """See one effect done, whether its process ever hears of it or not."""
        self._history.seen[what] += 1
        if what == "receipts.keep" and result:
            self._see_return(values[0])
        if what == "looks.look_by" and result:
            self._history.seen["a look was brought forward"] += 1
        if what != "claims.claim":
            return
        channel, commands = values
        for command, claim in zip(commands, result, strict=True):
            if isinstance(claim, Exception):
                self._history.seen["claim: failed"] += 1
                continue
            self._history.seen[f"claim: {claim.verdict}"] += 1
            if claim.verdict is Verdict.CLAIMED:
                row = self._world.memory.deliveries.rows[command.notification_id, channel]
                claimed_at = _seconds(self._world, row.claimed_at) if row.claimed_at else self._world.now
                self._claims[process.name, command] = (claim.token, claimed_at)  # the answer may have waited for others
                if row.delivery.takeovers:
                    self._history.seen["a lease was taken over"] += 1
                if claim.withheld:
                    self._history.seen[f"withheld: {claim.withheld}"] += 1

    def told(self, process: Process, what: str, values: tuple[Any, ...], result: Any) -> None:
        """See a process hear that something is done: from now on its counters must say so, too."""
        told = self._history.told
        if what == "claims.record":
            for item in values[1]:
                self._history.seen[f"outcome: {item.outcome.kind}"] += 1
                told[f"attempts {values[0]} {item.outcome.provider or 'carillon'} {item.outcome.kind}"] += 1
        elif what == "claims.postpone":
            told[f"postponed {values[0]} {_provider_in(values[-1])}"] += 1
        elif what == "intake.keep":
            told["accepted"] += sum(1 for kept, _ in result if kept is Kept.NEW)
        elif what == "fan_outs.expand":
            told["accepted"] += result.new if result else 0
        elif what in ("sagas.commit", "unlocked.save"):
            self._moved(result)

    def _moved(self, result: Any) -> None:
        told = self._history.told
        for moved in result:
            if moved.before is None:  # a digest is opened
                continue
            if moved.after in TERMINAL:
                told[f"ended {moved.after}"] += 1
            kind = BURIED_AS.get(moved.after)
            if kind and not self._is_member(moved.notification):
                told[f"dead letters {kind}"] += 1

    def called(self, process: Process, letter: Letter) -> None:
        """See a process about to call a provider."""
        command = Command(letter.notification_id, letter.attempt, letter.epoch)
        token, claimed_at = self._claims.get((process.name, command), (None, 0.0))
        call = Call(
            asked_at=self._world.now,
            command=command,
            channel=letter.channel,
            user_id=letter.user_id,
            token=token,
            claimed_at=claimed_at,
        )
        self._history.calls.append(call)
        self._world.tell(process.name, "calls the provider", (letter,))

    def logged(self, record: logging.LogRecord) -> None:
        """See a process log an error."""
        actor = ACTOR.get()
        cause = record.exc_info[1] if record.exc_info else None
        who = actor.name if actor else "world"
        self._world.tell(who, "logs an error", (), record.getMessage(), f"{type(cause).__name__}: {cause}")
        if record.getMessage() != "an adapter failed":
            self._history.violate(f"No step fails unexpectedly: {record.getMessage()}: {cause!r}.")


def _provider_in(why: str) -> str:
    """Read whose breaker a command waits for."""
    return why.removeprefix("the breaker of ").removesuffix(" is open")


def _owes(world: World, row: NotificationRow) -> bool:
    """Tell whether anything is owed to a notification: it is under way, or it is sent and waits for a deadline."""
    if row.saga.status not in TERMINAL:
        return True
    if row.saga.status is not N.SENT:  # what was acknowledged waits for nothing
        return False
    deliveries = world.memory.deliveries.rows
    mine = [deliveries[key].delivery for key in ((row.saga.id, channel) for channel in Channel) if key in deliveries]
    return any(d.status is DeliveryStatus.SENT and d.deadline is not None and d.epoch == row.saga.epoch for d in mine)


def _seconds(world: World, at: datetime) -> float:
    return world.now + (at - world.memory.now()).total_seconds()


@lru_cache(maxsize=256)
def members_of(body: bytes) -> list[dict[str, Any]]:
    """Read the events that one message carries; who asks again, as everybody does, may not change them."""
    event = json.loads(body)
    members: list[dict[str, Any]] = event["data"]["members"] if event["type"] == EventType.BUNDLE else [event]
    return members
