"""Places under caps, in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shared.saga import Delivery
from shared.statuses import Channel
from shared.store.recorded import Command
from tests.simulation.store.engine import Transaction
from tests.simulation.store.facts import policy_of
from tests.simulation.store.rows import NotificationRow, PlaceRow


def has_place(tx: Transaction, of: NotificationRow, held: Delivery) -> bool:
    """Tell whether no cap speaks about a delivery, or one has spoken."""
    policy, category = policy_of(tx, of.saga.tenant), of.saga.plan.category
    is_capped = category not in policy.critical and any(
        cap.channel is held.channel and cap.category in ("*", category) for cap in policy.caps
    )
    return not is_capped or tx.get(tx.memory.contact_places, (of.saga.id, held.channel, held.epoch)) is not None


def is_refused(tx: Transaction, of: NotificationRow, held: Delivery) -> bool:
    """Tell whether there was no place."""
    place = tx.get(tx.memory.contact_places, (of.saga.id, held.channel, held.epoch))
    return place is not None and not place.is_granted


def take_turns(commands: Sequence[Command], tx: Transaction) -> None:
    """Lock one row for each person, in one order for all."""
    found = [tx.get(tx.memory.notifications, command.notification_id) for command in commands]
    for key in sorted({(row.saga.tenant, row.user_id) for row in found if row is not None}):
        turn = tx.lock(tx.memory.contact_counters, key)
        tx.put(tx.memory.contact_counters, key, (turn or 0) + 1)


def seat(channel: Channel, commands: Sequence[Command], tx: Transaction) -> None:
    """Give each delivery its place, or note that there is none, the oldest notification first."""
    now, places = tx.memory.now(), tx.memory.contact_places
    found = [(tx.get(tx.memory.notifications, one.notification_id), one.epoch) for one in commands]
    wanted = [(row, epoch) for row, epoch in found if row is not None]
    for row, epoch in sorted(wanted, key=lambda one: (one[0].saga.created_at, one[0].saga.id)):
        mine = [
            (place.category, (now - place.taken_at).total_seconds())
            for (_, where, _), place in tx.all(places).items()
            if (place.tenant, place.user_id, where) == (row.saga.tenant, row.user_id, channel) and place.is_granted
        ]
        category = row.saga.plan.category
        is_granted = not policy_of(tx, row.saga.tenant).is_full(category, channel, mine)
        place = PlaceRow(
            tenant=row.saga.tenant, user_id=row.user_id, category=category, is_granted=is_granted, taken_at=now
        )
        tx.insert(places, (row.saga.id, channel, epoch), place)
