"""Whether what waits is asked for when it is due, whoever brings it: a queue that holds it back, or the sweep."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from shared.broker.topology import DELAYS_SECONDS
from shared.statuses import Channel, DeliveryStatus
from tests.simulation.history import DeliveryMoved
from tests.simulation.record import Record
from tests.simulation.weather import Climate

LATE_SECONDS = 2.0
"""By the design: never early, at most so much late."""

SLACK_SECONDS = 1.5
"""What the ways between processes take in a calm run."""

SWEPT_SECONDS = 10.0
"""Beyond an hour only the sweep brings it: a grace, and a tick."""

WAITING = (DeliveryStatus.RETRYING, DeliveryStatus.DEFERRED)


def what_waits_is_asked_for_in_time(record: Record) -> Iterator[str]:
    """Where nothing goes wrong, what waits is asked for when it is due; beyond an hour by the sweep's next look."""
    if record.weather.climate is not Climate.CALM:
        return
    for before, after in _following(record):
        if before.due_at is None or before.after not in WAITING or after.epoch != before.epoch:
            continue
        due_at = record.seconds(before.due_at)
        is_swept = not record.weather.is_sink and due_at - before.at > DELAYS_SECONDS[-1]
        late = after.at - due_at
        if late > LATE_SECONDS + SLACK_SECONDS + (SWEPT_SECONDS if is_swept else 0.0):
            yield f"{before.notification} waited on {before.channel} for {before.reason}, and {late:.3f} s longer"


def _following(record: Record) -> Iterator[tuple[DeliveryMoved, DeliveryMoved]]:
    lines: dict[tuple[object, Channel], list[DeliveryMoved]] = {}
    for moved in record.history.delivery_moves:
        lines.setdefault((moved.notification, moved.channel), []).append(moved)
    for line in lines.values():
        yield from pairwise(line)


OF_TIME = (what_waits_is_asked_for_in_time,)
