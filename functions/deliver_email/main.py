"""Deliver one e-mail.

takes   delivery.requested (channel email)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent | retrying | deferred | failed | unknown
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.deliver_email.provider import SmtpProvider
from shared.errors import SettingMissing
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import answer, delivery


def smtp(resources: Resources) -> SmtpProvider:
    """Make the provider from the settings.

    Raises:
        SettingMissing: there is no mail server.
    """
    settings = resources.settings
    if settings.smtp_url is None:
        raise SettingMissing("SMTP_URL is not set: e-mail needs a mail server, such as smtp://user:password@host:587")
    return SmtpProvider(
        settings.smtp_url.get_secret_value(), settings.email_from, connections=settings.smtp_connections
    )


FUNCTION = delivery("deliver-email", Channel.EMAIL, smtp)


async def deliver_email(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
