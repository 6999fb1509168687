"""What an outcome means beyond its own notification: an address that is dead or has moved, devices that are gone."""

from __future__ import annotations

from collections.abc import Sequence

from shared.outcomes import Outcome
from shared.statuses import Channel
from shared.store import devices
from shared.store.claim_sql import MOVE_CHAT, SUPPRESS
from shared.store.database import Connection
from shared.store.recorded import Recorded


def have_consequences(outcome: Outcome) -> bool:
    """Tell whether anything but the attempt is to be written."""
    return outcome.suppress or outcome.moved_to is not None or bool(outcome.dead_devices)


async def draw(connection: Connection, channel: Channel, items: Sequence[Recorded]) -> None:
    """Write them in the transaction that records the outcomes, in one order of addresses for all."""
    for item in sorted(items, key=lambda item: (item.tenant, item.address or "")):
        outcome = item.outcome
        if outcome.suppress and item.address:
            await connection.execute(SUPPRESS, (item.tenant, channel.value, item.address, outcome.code))
        if outcome.moved_to and channel is Channel.TELEGRAM:
            await connection.execute(MOVE_CHAT, (outcome.moved_to, item.tenant, item.user_id, item.address))
    dead = [(item.tenant, device) for item in items for device in item.outcome.dead_devices]
    if dead:
        await devices.forget(connection, dead)
