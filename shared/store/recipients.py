"""People whom Carillon makes for an address that a request named: no account, one way to reach them.

Such a user's id comes from tenant, channel and address alone. So the same address is the same user, whose wishes,
suppressions and receipts hold as anybody's do, and its row never needs to be written twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.statuses import Channel, PushService
from shared.store.columns import Texts, transposed
from shared.store.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An address that a request named; a device with whoever gave its token."""

    channel: Channel
    address: str = field(repr=False)
    service: PushService | None = None


_MAKE = """
INSERT INTO users (tenant, id, email, phone, telegram, device, is_made)
SELECT *, true FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
ON CONFLICT (tenant, id) DO NOTHING
"""
_KINDS = (Texts,) * 6
_COLUMN = {Channel.EMAIL: 0, Channel.SMS: 1, Channel.WHATSAPP: 1, Channel.TELEGRAM: 2, Channel.PUSH: 3}
_REGISTERED = datetime(2000, 1, 1, tzinfo=UTC)  # no registration of a person's own device is of that time


async def make(connection: Connection, recipients: Sequence[tuple[str, str, Recipient]]) -> None:
    """Make the users of a set of (tenant, user id, recipient) that are not there, in the order of their ids."""
    rows = {(tenant, user_id): _row(tenant, user_id, recipient) for tenant, user_id, recipient in recipients}
    await connection.execute(_MAKE, transposed(_KINDS, [rows[key] for key in sorted(rows)]))


def _row(tenant: str, user_id: str, recipient: Recipient) -> tuple[str | None, ...]:
    addresses: list[str | None] = [None] * 4
    addresses[_COLUMN[recipient.channel]] = device_of(recipient) if recipient.service else recipient.address
    return (tenant, user_id, *addresses)


def device_of(recipient: Recipient) -> str:
    """Write a device as the address of a user's devices is written (`devices.ADDRESS`)."""
    return json.dumps([[recipient.service, recipient.address, _REGISTERED.isoformat(), ""]])
