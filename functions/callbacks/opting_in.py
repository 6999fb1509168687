"""People who want messages again: their START lifts what their STOP had suppressed, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from shared.runtime import Resources
from shared.settings import Settings
from shared.statuses import Channel
from shared.twilio.opting_in import STOP_REASONS, opt_in_of
from shared.twilio.sender import Sender

log = logging.getLogger(__name__)


class OptingIn:
    """Lifts suppressions, for every tenant whom a STOP had cost the number."""

    def __init__(self, resources: Resources) -> None:
        self._suppressions = resources.store.suppressions
        self._count = resources.metrics.receipts
        self._senders = _senders(resources.settings)

    async def take(self, form: Mapping[str, str]) -> None:
        """Take a message to us; one that is no START changes nothing.

        The signature has no time in it, so an old START may be posted again. Twilio keeps its own list: if the person
        has said STOP since, the next message is refused there, and the number is suppressed again.

        Raises:
            Transient: the database is away; nothing was lifted.
        """
        found = opt_in_of(form, self._senders)
        if found is None:
            self._count.labels("twilio", "ignored").inc()
            return
        tenants = await self._suppressions.lift_everywhere(found.channel, found.number, STOP_REASONS)
        self._count.labels("twilio", "opted_in" if tenants else "known").inc()
        for tenant in tenants:
            log.info("a person who had said STOP has said START", extra={"tenant": tenant, "channel": found.channel})


def _senders(settings: Settings) -> list[Sender]:
    named = {Channel.SMS: settings.twilio_sms_from, Channel.WHATSAPP: settings.twilio_whatsapp_from}
    return [Sender(channel=channel, name=name) for channel, name in named.items() if name is not None]
