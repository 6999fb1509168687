"""What a callback says of a delivery, and what is done with it whoever said it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared import outbox
from shared.callback_links import Subject
from shared.events import TENANT
from shared.runtime import Resources
from shared.saga import Receipt

SOURCE = "callbacks"
LAST_EPOCH = 2**31 - 1
_TENANT = re.compile(TENANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A provider's word about one delivery."""

    subject: Subject
    receipt: Receipt
    reason: str
    suppress: bool = False


class Reports:
    """Keeps reports as receipts, and tells the saga at once.

    A report is answered the same way whether its notification is known or not: the caller need not repeat it, and
    learns nothing about what is not its own.
    """

    def __init__(self, resources: Resources) -> None:
        self._receipts = resources.store.receipts
        self._broker = resources.broker
        self._count = resources.metrics.receipts

    async def take(self, provider: str, report: Report | None) -> None:
        """Keep a report; None is a call that says nothing final about a delivery of ours.

        Raises:
            Transient: the database is away; nothing was kept.
        """
        if report is None or not _is_sound(report.subject):
            self._count.labels(provider, "ignored").inc()
            return
        about = report.subject
        is_new = await self._receipts.keep(about, report.receipt, report.reason, suppress=report.suppress)
        self._count.labels(provider, report.receipt.value if is_new else "known").inc()
        if is_new:
            message = outbox.receipt(SOURCE, outbox.About(about.notification_id, about.tenant, about.epoch))
            await self._broker.publish([message])  # what is refused, the sweep folds


def _is_sound(about: Subject) -> bool:
    """Tell whether the database can hold it: it comes out of an address."""
    return bool(_TENANT.fullmatch(about.tenant)) and 0 <= about.epoch <= LAST_EPOCH
