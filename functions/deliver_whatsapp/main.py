"""Deliver one WhatsApp message.

takes   delivery.requested (channel whatsapp)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent | retrying | deferred | failed | unknown
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import answer, delivery
from shared.twilio.opening import open_twilio
from shared.twilio.provider import TwilioProvider


def twilio(resources: Resources) -> TwilioProvider:
    """Make the provider from the settings.

    Raises:
        SettingMissing: there is no account, or no sender.
    """
    return open_twilio(resources, Channel.WHATSAPP)


FUNCTION = delivery("deliver-whatsapp", Channel.WHATSAPP, twilio)


async def deliver_whatsapp(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
