"""Addresses that we give to providers, so that what they say later finds its notification without a look-up.

The address names the delivery, so a receipt may come before our own record of the call. It proves nothing by itself:
each provider signs its calls in its own way (`functions/callbacks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from shared.outcomes import Letter
from shared.statuses import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The delivery that a callback is about."""

    tenant: str
    notification_id: UUID
    channel: Channel
    epoch: int


def callback_link(public_url: str | None, provider: str, letter: Letter) -> str | None:
    """Write where a provider reports on a letter; None if this installation cannot be reached from outside."""
    if not public_url:
        return None
    said = {"tenant": letter.tenant, "id": letter.notification_id, "channel": letter.channel, "epoch": letter.epoch}
    return f"{public_url.rstrip('/')}/callbacks/{provider}?{urlencode({k: str(v) for k, v in said.items()})}"


def read_subject(query: dict[str, str]) -> Subject | None:
    """Read the query of such an address; None if it is none of ours."""
    try:
        return Subject(
            tenant=query["tenant"],
            notification_id=UUID(query["id"]),
            channel=Channel(query["channel"]),
            epoch=int(query["epoch"]),
        )
    except (KeyError, ValueError):
        return None
