"""Deliver one e-mail.

takes   delivery.requested (channel email)
gives   delivery.succeeded | delivery.failed
status  queued -> sending -> sent | retrying | deferred | failed | unknown
"""

from __future__ import annotations

from cloudevents.http import CloudEvent

from functions.deliver_email.provider import SmtpProvider
from functions.deliver_email.relay import Relay, read_relays
from functions.deliver_email.unsubscribe_links import UnsubscribeLinks
from shared.errors import SettingMissing
from shared.outcomes import Line
from shared.runtime import Resources
from shared.statuses import Channel
from shared.step import answer, delivery


def lines(resources: Resources) -> list[Line]:
    """Make a provider for each mail server of the settings.

    Raises:
        SettingMissing: there is none, or a setting is malformed.
    """
    return [Line(provider=_provider(relay, resources), weight=relay.weight) for relay in _relays(resources)]


def _relays(resources: Resources) -> list[Relay]:
    url = resources.settings.smtp_url
    if url is None:
        raise SettingMissing("SMTP_URL is not set: e-mail needs a mail server, such as smtp://user:password@host:587")
    return read_relays(url.get_secret_value())


def _provider(relay: Relay, resources: Resources) -> SmtpProvider:
    settings, links = resources.settings, None
    if settings.public_url:
        links = UnsubscribeLinks(settings.public_url, lambda: resources.store.secrets.get("unsubscribe"))
    return SmtpProvider(relay, settings.email_from, settings.smtp_connections, links=links)


FUNCTION = delivery("deliver-email", Channel.EMAIL, lines)


async def deliver_email(event: CloudEvent) -> None:
    """Take one event from functions-framework."""
    await answer(event)
