"""What comes back of a mail: a server's report, or a relay's JSON."""

from __future__ import annotations

from functions.callbacks.reports import Report
from shared.bounces import read_bounce
from shared.callback_links import Subject
from shared.saga import Receipt
from shared.statuses import Channel

MAX_BYTES = 1_048_576
"""A report may hold the whole mail that it is about; what is larger is cut off before it gets here."""


def read_mail(tenant: str, content_type: str, body: bytes) -> Report | None:
    """Read one report; None if it says nothing final about a mail of ours."""
    found = read_bounce(content_type, body)
    if found is None:
        return None
    subject = Subject(tenant=tenant, notification_id=found.notification_id, channel=Channel.EMAIL, epoch=found.epoch)
    receipt = Receipt(found.receipt)
    if receipt is Receipt.DELIVERED and found.suppress:
        receipt = (
            Receipt.READ
        )  # who complains has seen it; as "delivered" it could be known already, and be passed over
    return Report(subject=subject, receipt=receipt, reason=found.reason, suppress=found.suppress)
