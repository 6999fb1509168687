"""Several events in one message: what is owed to one queue at one moment travels together.

A message costs RabbitMQ and both ends the same whether it carries one event or many (decision 46).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.broker.protocol import Broker, Message, PublishRefused
from shared.broker.topology import WORK_QUEUES
from shared.events import write_bundle
from shared.ids import bundle_id

MOST_MEMBERS = 100
"""About 30 kB: one frame of AMQP, and half of what a step works on at once."""

_BUNDLED = frozenset(WORK_QUEUES)


async def publish(broker: Broker, messages: Sequence[Message]) -> list[PublishRefused | None]:
    """Publish a list; return one outcome per message, in order. Whatever becomes of a bundle becomes of its members."""
    if len(messages) < 2 or not broker.carries_bundles:
        return await broker.publish(messages)
    bundles = pack(messages)
    outcomes: list[PublishRefused | None] = [None] * len(messages)
    for bundle, outcome in zip(bundles, await broker.publish([bundle.write() for bundle in bundles]), strict=True):
        if outcome is not None:
            for place in bundle.places:
                outcomes[place] = outcome
    return outcomes


@dataclass(slots=True)
class Bundle:
    """What travels in one message, and where it stood in the list."""

    places: list[int] = field(default_factory=list)
    members: list[Message] = field(default_factory=list)

    def write(self) -> Message:
        """Write the message. The same members make the same one."""
        first = self.members[0]
        if len(self.members) == 1:
            return first
        key = bundle_id([one.id for one in self.members])
        return Message(queue=first.queue, id=key, body=write_bundle(key, [one.body for one in self.members]))


def pack(messages: Sequence[Message]) -> list[Bundle]:
    """Put together what goes to one work queue now, in order. What waits, waits alone: each has its own moment."""
    bundles: list[Bundle] = []
    open_ones: dict[str, Bundle] = {}
    for place, message in enumerate(messages):
        may_share = not message.delay_seconds and message.queue in _BUNDLED
        bundle = open_ones.get(message.queue) if may_share else None
        if bundle is None or len(bundle.members) == MOST_MEMBERS:
            bundle = Bundle()
            bundles.append(bundle)
            if may_share:
                open_ones[message.queue] = bundle
        bundle.places.append(place)
        bundle.members.append(message)
    return bundles
