"""Put one message into a person's inbox, and tell their open WebSockets.

takes   delivery.requested (channel websocket)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent (the inbox row) -> delivered (the client's acknowledgement)
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.push_ws.inbox_provider import InboxProvider
from shared.statuses import Channel
from shared.step import answer, delivery

FUNCTION = delivery("push-ws", Channel.WEBSOCKET, InboxProvider)


async def push_ws(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
