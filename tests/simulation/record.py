"""What is left of a run when it is over: the history, the rows, and what the processes have counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.saga import Receipt, Saga
from shared.statuses import Channel
from tests.simulation.history import History
from tests.simulation.store.rows import AttemptRow, ReceiptRow, TimelineRow
from tests.simulation.weather import Weather

if TYPE_CHECKING:
    from datetime import datetime

    from tests.simulation.world import World

Line = tuple[UUID, Channel, int]
"""One channel of one life of a notification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One run, as the invariants see it."""

    weather: Weather
    history: History
    began: datetime
    now: datetime
    sagas: Mapping[UUID, Saga]
    attempts: tuple[AttemptRow, ...] = ()
    timeline: tuple[TimelineRow, ...] = ()
    counted: Mapping[str, float] = field(default_factory=dict)
    returned: frozenset[Line] = frozenset()
    """What a provider has reported as undeliverable."""
    keys: Mapping[UUID, tuple[str, str]] = field(default_factory=dict)
    """User and collapse key of the notifications that have one."""

    said: Mapping[UUID, str] = field(default_factory=dict)
    """What each event says, in the words in which a digest repeats it."""
    digests: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    """What is in each digest."""
    users: Mapping[UUID, str] = field(default_factory=dict)
    """Whom each notification is for."""
    texts: Mapping[UUID, tuple[str, ...]] = field(default_factory=dict)
    """The texts of the messages of each digest."""

    def is_member(self, key: UUID) -> bool:
        """Tell whether a notification is one of many in a digest."""
        return key in self.sagas and self.sagas[key].digest_id is not None

    def seconds(self, at: datetime) -> float:
        """Turn a time of the database into seconds since the beginning."""
        return (at - self.began).total_seconds()


def line_of(row: ReceiptRow) -> Line:
    """Say what a receipt is about."""
    return row.notification_id, row.said.channel, row.said.epoch


def record_of(world: World) -> Record:
    """Take down a run that is over."""
    memory = world.memory
    deliveries = [row for _, row in sorted(memory.deliveries.rows.items())]
    sagas = {
        key: row.saga.but(deliveries=tuple(d.delivery for d in deliveries if d.notification_id == key))
        for key, row in memory.notifications.rows.items()
    }
    digests = {key: row.data for key, row in memory.notifications.rows.items() if row.saga.is_digest}
    return Record(
        weather=world.weather,
        history=world.history,
        began=world.began,
        now=memory.now(),
        sagas=sagas,
        attempts=tuple(memory.attempts.rows.values()),
        timeline=tuple(memory.timeline.rows.values()),
        counted=_counted(world),
        returned=frozenset(line_of(row) for row in memory.receipts.rows.values() if row.said.receipt is Receipt.FAILED),
        said={
            key: str(row.data["message"]) for key, row in memory.notifications.rows.items() if not row.saga.is_digest
        },
        digests=digests,
        users={key: row.user_id for key, row in memory.notifications.rows.items()},
        texts={
            key: tuple(str((d.content or {}).get("text", "")) for d in deliveries if d.notification_id == key)
            for key in digests
        },
        keys={
            key: (row.user_id, row.collapse_key) for key, row in memory.notifications.rows.items() if row.collapse_key
        },
    )


def _counted(world: World) -> Mapping[str, float]:
    """Read the counters of all processes, under the names by which the watch knows them."""
    metrics, counted = world.metrics, Counter[str]()
    families = {
        "attempts": metrics.attempts,
        "postponed": metrics.postponed,
        "ended": metrics.ended,
        "accepted": metrics.accepted,
        "dead letters": metrics.dead_letters,
    }
    for name, counter in families.items():
        for sample in next(iter(counter.collect())).samples:
            if sample.name.endswith("_total"):
                counted[" ".join((name, *sample.labels.values()))] += sample.value  # type: ignore[assignment]
    return counted
