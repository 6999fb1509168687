"""From what is owed to messages: deterministic ids, nothing but ids inside, and the delay where it is due later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared import ids
from shared.broker import Message
from shared.broker.topology import COMPENSATIONS, EVENTS, PARKING_LOT, RESULTS, commands, delay_for
from shared.events import Event, EventType, Reference, encode
from shared.saga import CommandOwed, CompensationOwed, EventOwed, LookOwed, Owed, ResultOwed


class Subject(Protocol):
    """What a message is about. A saga is one."""

    @property
    def id(self) -> UUID:
        """The notification."""

    @property
    def tenant(self) -> str:
        """Its owner."""

    @property
    def epoch(self) -> int:
        """Its epoch."""

    @property
    def traceparent(self) -> str | None:
        """The trace that it belongs to."""


@dataclass(frozen=True, slots=True)
class About:
    """A subject where no saga is at hand."""

    id: UUID
    tenant: str
    epoch: int = 0
    traceparent: str | None = None


def messages(source: str, subject: Subject, items: Iterable[Owed], now: datetime) -> list[Message]:
    """Write the messages for what is owed. What is due beyond the longest delay is left to the sweep."""
    found = []
    for item in items:
        delay = delay_for((item.due_at - now).total_seconds()) if item.due_at else 0
        if delay is not None:
            found.append(write(source, subject, item, delay))
    return found


def write(source: str, subject: Subject, item: Owed, delay_seconds: int = 0) -> Message:
    """Write the one message for what is owed."""
    queue, key, kind, reference = _WRITERS[type(item)](subject, item)
    return _message(source, subject, (queue, key, kind, reference), delay_seconds)


def failed(source: str, subject: Subject) -> Message:
    """Write the fact that a notification failed, for the parking lot: this is how the caller's tools hear of it."""
    key = str(ids.message_id(subject.id, "failed", subject.epoch))
    reference = Reference(notification_id=subject.id, epoch=subject.epoch)
    return _message(source, subject, (PARKING_LOT, key, EventType.NOTIFICATION_FAILED, reference))


def receipt(source: str, subject: Subject) -> Message:
    """Write the fact that a receipt is recorded."""
    key = str(ids.message_id(subject.id, "receipt", subject.epoch))
    reference = Reference(notification_id=subject.id, epoch=subject.epoch)
    return _message(source, subject, (RESULTS, key, EventType.RECEIPT_RECORDED, reference))


Written = tuple[str, str, EventType, Reference]


def _message(source: str, subject: Subject, written: Written, delay_seconds: int = 0) -> Message:
    queue, key, kind, reference = written
    event = Event(
        id=key,
        source=f"/carillon/{source}",
        type=kind,
        tenant=subject.tenant,
        traceparent=subject.traceparent,
        data=reference,
    )
    return Message(queue=queue, id=key, body=encode(event), delay_seconds=delay_seconds)


def _accepted(subject: Subject, item: EventOwed) -> Written:
    key = str(ids.message_id(subject.id, "accepted", subject.epoch))
    reference = Reference(notification_id=subject.id, epoch=subject.epoch)
    return EVENTS, key, EventType.NOTIFICATION_ACCEPTED, reference


def _command(subject: Subject, item: CommandOwed) -> Written:
    key = str(ids.command_id(subject.id, item.channel.value, item.attempt, item.epoch))
    reference = Reference(notification_id=subject.id, channel=item.channel, attempt=item.attempt, epoch=item.epoch)
    return commands(item.channel), key, EventType.DELIVERY_REQUESTED, reference


def _result(subject: Subject, item: ResultOwed) -> Written:
    kind = EventType.DELIVERY_SUCCEEDED if item.succeeded else EventType.DELIVERY_FAILED
    reference = Reference(
        notification_id=subject.id, channel=item.channel, attempt=item.attempt, epoch=item.epoch, token=item.token
    )
    return RESULTS, str(item.token), kind, reference


def _look(subject: Subject, item: LookOwed) -> Written:
    key = str(ids.message_id(subject.id, f"look {item.channel}", subject.epoch))
    reference = Reference(notification_id=subject.id, channel=item.channel, epoch=subject.epoch)
    return RESULTS, key, EventType.NOTIFICATION_DUE, reference


def _compensation(subject: Subject, item: CompensationOwed) -> Written:
    key = str(ids.message_id(subject.id, "compensation", subject.epoch))
    reference = Reference(notification_id=subject.id, epoch=subject.epoch)
    return COMPENSATIONS, key, EventType.COMPENSATION_REQUESTED, reference


_WRITERS: dict[type[Owed], Callable[[Subject, Any], Written]] = {
    EventOwed: _accepted,
    CommandOwed: _command,
    ResultOwed: _result,
    LookOwed: _look,
    CompensationOwed: _compensation,
}
