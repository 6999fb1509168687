"""What OneSignal's event stream says, in a form that its owner writes there: the event's kind and our own ids.

    {"event": "message.push.received", "notification_id": "...", "epoch": 0}

`epoch` may be left out. A person has several devices: that one of them got it is a receipt, that one did not is none.
"""

from __future__ import annotations

from uuid import UUID

from functions.callbacks.reports import Report
from shared import strict_json
from shared.callback_links import Subject
from shared.saga import Receipt
from shared.statuses import Channel

RECEIPTS = {
    "message.push.received": Receipt.DELIVERED,
    "message.push.clicked": Receipt.READ,
}


def read_event(tenant: str, body: bytes) -> Report | None:
    """Read one event; None if it says nothing final about a message of ours.

    Raises:
        Refused: 400, it is no JSON.
    """
    said = strict_json.parse(body)
    if not isinstance(said, dict) or not isinstance(said.get("event"), str):
        return None
    receipt, epoch = RECEIPTS.get(said["event"]), said.get("epoch", 0)
    if receipt is None or not isinstance(epoch, int):
        return None
    try:
        key = UUID(said["notification_id"])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
    subject = Subject(tenant=tenant, notification_id=key, channel=Channel.PUSH, epoch=epoch)
    return Report(subject=subject, receipt=receipt, reason=f"OneSignal reports it as {receipt}")
