"""What is in hand from one channel: handed over together, and settled together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from itertools import takewhile

from pika import BasicProperties
from pika.exceptions import AMQPError
from pika.spec import Basic

from shared.broker.protocol import OnMessages
from shared.broker.rabbit_channel import OpenChannel
from shared.broker.rabbit_frames import Delivery

log = logging.getLogger(__name__)


TELLING_SECONDS = 0.03
"""So long a settlement waits for others before the broker is told: nobody waits for it, and to the broker each telling
is an entry in a log that it has to sync.
"""


class RabbitReceived:
    """One message in hand, tied to the channel that it came by: on a later one its tag means another message."""

    __slots__ = ("_desk", "_tag", "body", "content_type", "message_id", "queue", "redelivered")

    def __init__(self, desk: Desk, delivery: Delivery) -> None:
        self._desk = desk
        self._tag, self.redelivered, self.message_id, self.content_type, self.body = delivery
        self.queue = desk.queue

    def acknowledge(self) -> None:
        """The outcome is durable."""
        self._desk.settle(self._tag, is_done=True)

    def reject(self) -> None:
        """The step could not run: it comes back by way of `events.retry`."""
        self._desk.settle(self._tag, is_done=False)


class Desk:
    """What is in hand from one channel. Settlements are told to the broker together, before they would hold up others:
    at once when `enough` wait, a quarter of what may be in hand.
    """

    def __init__(self, queue: str, channel: OpenChannel, on_messages: OnMessages, prefetch: int) -> None:
        self.queue = queue
        self.channel = channel
        self._on_messages = on_messages
        self._is_open = True
        self._arrived: list[RabbitReceived] = []
        self._in_hand: dict[int, bool | None] = {}  # by tag, in order; None until settled
        self._settled: list[int] = []
        self._enough = max(1, prefetch // 4)
        self._timer: asyncio.TimerHandle | None = None
        self.is_empty = asyncio.Event()
        self.is_empty.set()

    def take_from_pika(self, _channel: object, method: Basic.Deliver, properties: BasicProperties, body: bytes) -> None:
        """Take one delivery that came by pika's way."""
        message_id, content_type = properties.message_id or "", properties.content_type or ""
        self.take(Delivery(method.delivery_tag, method.redelivered, message_id, content_type, body))

    def take(self, delivery: Delivery) -> None:
        """Take one delivery from the channel."""
        if not self._is_open:  # cancelled: somebody else may have it at once
            self._tell(self.channel.raw.basic_nack, delivery.tag, requeue=True)
            return
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._hand_over)
        received = RabbitReceived(self, delivery)
        self._arrived.append(received)
        self._in_hand[received._tag] = None
        self.is_empty.clear()

    def settle(self, tag: int, *, is_done: bool) -> None:
        """Note how one message is to be settled; nothing happens for one that is settled, or on a lost channel."""
        if self._in_hand.get(tag, False) is not None:
            return
        self._in_hand[tag] = is_done
        self._settled.append(tag)
        if len(self._settled) == self._enough:
            asyncio.get_running_loop().call_soon(self.flush)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TELLING_SECONDS, self.flush)

    def close(self) -> None:
        """Take no more; what arrived and was not handed over goes back at once."""
        self._is_open = False
        for received in self._arrived:
            del self._in_hand[received._tag]
            self._tell(self.channel.raw.basic_nack, received._tag, requeue=True)
        self._arrived.clear()
        self._note_emptiness()

    def abandon(self) -> None:
        """Forget what is in hand: the channel is lost, and the broker delivers all of it again."""
        self._is_open = False
        self._arrived.clear()
        self._settled.clear()
        self._in_hand.clear()
        self.is_empty.set()

    def flush(self) -> None:
        """Tell the broker: rejections first, so that one acknowledgement may then cover everything before it."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        settled, self._settled = self._settled, []
        acknowledged = []
        for tag in settled:
            if self._in_hand[tag]:
                acknowledged.append(tag)
            else:
                del self._in_hand[tag]
                self._tell(self.channel.raw.basic_reject, tag, requeue=False)
        covered = list(takewhile(self._in_hand.get, self._in_hand)) if acknowledged else []
        if covered:
            self._tell(self.channel.raw.basic_ack, covered[-1], multiple=True)
        for tag in covered:
            del self._in_hand[tag]
        for tag in acknowledged:
            if self._in_hand.pop(tag, None):
                self._tell(self.channel.raw.basic_ack, tag)
        self._note_emptiness()

    def _hand_over(self) -> None:
        arrived, self._arrived = self._arrived, []
        if not arrived:
            return
        try:
            self._on_messages(arrived)
        except Exception:  # a bug of ours; the messages come back until it is mended
            log.exception("messages could not be handed over", extra={"queue": self.queue, "count": len(arrived)})
            for received in arrived:
                received.reject()

    def _note_emptiness(self) -> None:
        if not self._in_hand:
            self.is_empty.set()

    def _tell(self, settle: Callable[..., None], tag: int, **how: bool) -> None:
        if self.channel.raw.is_open:
            try:
                settle(tag, **how)
            except AMQPError:  # the line is going down: the broker delivers again
                log.debug("a settlement came too late", extra={"queue": self.queue})
