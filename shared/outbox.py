"""From what is owed to messages: deterministic ids, nothing but ids inside, and the delay where it is due later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared import events, ids
from shared.broker import Message
from shared.broker.topology import COMPENSATIONS, EVENTS, PARKING_LOT, RESULTS, commands, delay_for
from shared.events import EventType as Kind
from shared.quick import quick
from shared.saga import CommandOwed, CompensationOwed, EventOwed, LookOwed, Owed, ResultOwed
from shared.statuses import Channel
from shared.waits import Wait


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


@quick
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
        seconds = (item.due_at - now).total_seconds() if item.due_at else 0.0
        delay = delay_for(seconds)
        if delay is not None:
            found.append(write(source, subject, item, delay, seconds))
    return found


def write(
    source: str, subject: Subject, item: Owed, delay_seconds: int = 0, wait_seconds: float | None = None
) -> Message:
    """Write the one message for what is owed; `wait_seconds` is what its delay was chosen for."""
    message = _message(source, subject, _WRITERS[type(item)](subject, item))
    if not delay_seconds:
        return message
    seconds = delay_seconds if wait_seconds is None else wait_seconds
    return replace(message, delay_seconds=delay_seconds, wait=Wait(subject.id, seconds))


def failed(source: str, subject: Subject) -> Message:
    """Write the fact that a notification failed, for the parking lot: this is how the caller's tools hear of it."""
    return _message(source, subject, (PARKING_LOT, _named(subject, "failed"), Kind.NOTIFICATION_FAILED, ""))


def receipt(source: str, subject: Subject) -> Message:
    """Write the fact that a receipt is recorded."""
    return _message(source, subject, (RESULTS, _named(subject, "receipt"), Kind.RECEIPT_RECORDED, ""))


def fan_out(source: str, about: About, position: int) -> Message:
    """Ask for the next users of one event for many; `position` of them were asked for before."""
    data = f'"fan_out_id":"{about.id}","position":{position}'
    key = f"{about.id}/fan-out/{position}"
    body = events.write(key, f"/carillon/{source}", Kind.FAN_OUT_REQUESTED, about.tenant, about.traceparent, data)
    return Message(queue=EVENTS, id=key, body=body)


Written = tuple[str, str, Kind, str]
"""Queue, id, type, and the members of the data beyond notification and epoch."""


def _message(source: str, subject: Subject, written: Written) -> Message:
    queue, key, kind, more = written
    data = f'"notification_id":"{subject.id}","epoch":{subject.epoch}{more}'
    body = events.write(key, f"/carillon/{source}", kind, subject.tenant, subject.traceparent, data)
    return Message(queue=queue, id=key, body=body)


def _named(subject: Subject, kind: str) -> str:
    return ids.message_id(subject.id, kind, subject.epoch)


def _accepted(subject: Subject, item: EventOwed) -> Written:
    return EVENTS, _named(subject, "accepted"), Kind.NOTIFICATION_ACCEPTED, ""


def _command(subject: Subject, item: CommandOwed) -> Written:
    key = ids.command_id(subject.id, item.channel.value, item.attempt, subject.epoch)
    more = f',"channel":"{item.channel.value}","attempt":{item.attempt}'
    return _COMMANDS[item.channel], key, Kind.DELIVERY_REQUESTED, more


def _result(subject: Subject, item: ResultOwed) -> Written:
    kind = Kind.DELIVERY_SUCCEEDED if item.succeeded else Kind.DELIVERY_FAILED
    token = str(item.token)
    more = f',"channel":"{item.channel.value}","attempt":{item.attempt},"token":"{token}"'
    return RESULTS, token, kind, more


def _look(subject: Subject, item: LookOwed) -> Written:
    more = f',"channel":"{item.channel.value}"'
    return RESULTS, _named(subject, f"look-{item.channel.value}"), Kind.NOTIFICATION_DUE, more


def _compensation(subject: Subject, item: CompensationOwed) -> Written:
    return COMPENSATIONS, _named(subject, "compensation"), Kind.COMPENSATION_REQUESTED, ""


_COMMANDS = {channel: commands(channel) for channel in Channel}

_WRITERS: dict[type[Owed], Callable[[Subject, Any], Written]] = {
    EventOwed: _accepted,
    CommandOwed: _command,
    ResultOwed: _result,
    LookOwed: _look,
    CompensationOwed: _compensation,
}
