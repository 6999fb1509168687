"""Notice that the broker has forgotten a consumer.

A quorum queue that was deleted soon after its node had started seems to have told its consumers nothing (once, on
3.10): they waited, and the queue of the same name that was declared instead filled up.
"""

from __future__ import annotations

import asyncio

from shared.broker.rabbit_channel import ConsumerForgotten, OpenChannel
from shared.errors import BrokerUnavailable

LOOK_SECONDS = 15.0


async def look_after(channel: OpenChannel, queue: str) -> None:
    """Ask now and then who consumes the queue, until the channel ends: at the latest when messages wait for nobody.

    Where others consume it too, the broker may have forgotten one of them and nothing is noticed; nothing waits then.
    """
    while not channel.ended.done():
        await asyncio.wait({channel.ended}, timeout=LOOK_SECONDS)
        try:
            counted = (await channel.call(channel.raw.queue_declare, queue=queue, passive=True)).method
        except BrokerUnavailable:  # the channel has ended, or there is no answer yet
            continue
        if counted.message_count and not counted.consumer_count:
            channel.give_up(ConsumerForgotten())
