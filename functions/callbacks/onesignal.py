"""What OneSignal's event stream says, in a form that its owner writes there: the event's kind and our own ids.

    {"event": "message.push.received", "notification_id": "...", "epoch": 0}

Both ids are in the message's data. Without `epoch` it is about the first. A person has several devices: that one of
them got it is a receipt, that one did not is none.
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
    receipt, epoch = RECEIPTS.get(said["event"]), _epoch(said.get("epoch", 0))
    if receipt is None or epoch is None:
        return None
    try:
        key = UUID(said["notification_id"])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
    subject = Subject(tenant=tenant, notification_id=key, channel=Channel.PUSH, epoch=epoch)
    return Report(subject=subject, receipt=receipt, reason=f"OneSignal reports it as {receipt}")


def _epoch(said: object) -> int | None:
    """Read an epoch; what a stream's template puts between quotes is text."""
    if isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < 10:
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None
