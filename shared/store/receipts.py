"""Receipts: what providers say after they took a message, kept until the saga knows it."""

from __future__ import annotations

from shared.callback_links import Subject
from shared.saga import Receipt
from shared.statuses import Channel
from shared.store.claim_sql import ADDRESS
from shared.store.database import Database

_KEEP = """
WITH kept AS (
    INSERT INTO receipts (notification_id, channel, epoch, receipt, tenant, reason)
    SELECT n.id, %b::text, %b::int, %b::text, n.tenant, CASE WHEN n.erased_at IS NULL THEN %b::text ELSE '' END
    FROM notifications n WHERE n.id = %b::uuid AND n.tenant = %b::text
    ON CONFLICT DO NOTHING RETURNING notification_id, receipt
)
UPDATE notifications n
SET looks = 0, has_bounced = has_bounced OR kept.receipt = 'failed',
    next_look_at = LEAST(n.next_look_at, clock_timestamp() + interval '15 seconds')
FROM kept WHERE n.id = kept.notification_id
"""
_SUPPRESS = """
INSERT INTO suppressions (tenant, channel, address, reason)
SELECT d.tenant, d.channel, {address}, %b::text
FROM deliveries d JOIN notifications n ON n.id = d.notification_id
     JOIN users u ON u.tenant = n.tenant AND u.id = n.user_id
WHERE d.notification_id = %b::uuid AND d.channel = %b::text AND d.epoch = %b::int
  AND u.updated_at <= d.claimed_at AND {address} IS NOT NULL
ON CONFLICT DO NOTHING
"""
"""The receipt does not say where the message went. It was to the address that the user has now, if the user has not
changed since the claim that handed it out; else nothing is suppressed, and the next message will tell."""

SUPPRESSIBLE = frozenset({Channel.EMAIL, Channel.SMS, Channel.WHATSAPP, Channel.TELEGRAM})
"""Where a user has one address, and it can be dead: devices are forgotten one by one, an inbox is ours."""

SUPPRESS = {channel: _SUPPRESS.format(address=ADDRESS[channel]) for channel in SUPPRESSIBLE}


class Receipts:
    """The room of `callbacks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, subject: Subject, receipt: Receipt, reason: str, *, suppress: bool) -> bool:
        """Keep a receipt; return whether it is new, which it is not where its tenant has no such notification.

        The saga hears of it by an event; if that is lost, by the sweep, which looks 15 s later. One that comes before
        the saga knows of the success is found when the success is folded. With `suppress`, nothing more is sent to
        the address.
        """
        key, channel, epoch = subject.notification_id, subject.channel, subject.epoch
        async with self._database.transaction() as connection:
            values = (channel.value, epoch, receipt.value, reason, key, subject.tenant)
            is_new = (await connection.execute(_KEEP, values)).rowcount == 1
            if is_new and suppress and channel in SUPPRESSIBLE:
                await connection.execute(SUPPRESS[channel], (reason, key, channel.value, epoch))
            return is_new
