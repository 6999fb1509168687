"""Which providers the settings name for each channel, for whoever only wants to know: nothing is opened here.

A process of a cluster is told no more than it needs, and most are told of no provider but our own inbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from shared.settings import Settings
from shared.statuses import Channel, PushService

MAIL, TELEGRAM, PUSH, INBOX = "smtp", "telegram", "push", "inbox"
TWILIO = {Channel.SMS: "twilio-sms", Channel.WHATSAPP: "twilio-whatsapp"}
_CHANNEL_OF = {
    TELEGRAM: Channel.TELEGRAM,
    INBOX: Channel.WEBSOCKET,
    PUSH: Channel.PUSH,
    **{service.value: Channel.PUSH for service in PushService},
    **{name: channel for channel, name in TWILIO.items()},
}


@dataclass(frozen=True, slots=True)
class NamedLine:
    """One of the providers of a channel: its name, and its share of what is sent there."""

    name: str
    weight: int = 1


def named_lines(settings: Settings) -> Mapping[Channel, tuple[NamedLine, ...]]:
    """List the providers of each channel that is served here, as their adapters are named; none where none is known."""
    found = {
        Channel.EMAIL: _mail_servers(settings.smtp_url.get_secret_value() if settings.smtp_url else ""),
        Channel.TELEGRAM: (NamedLine(TELEGRAM),) if settings.telegram_bot_token else (),
        Channel.PUSH: _push(settings),
        Channel.WEBSOCKET: (NamedLine(INBOX),),
        **{channel: (NamedLine(name),) if settings.twilio_account_sid else () for channel, name in TWILIO.items()},
    }
    return {channel: lines for channel, lines in found.items() if channel in settings.served()}


def channel_of(provider: str) -> Channel:
    """Tell whose provider it is by its name; only mail servers are named as somebody likes."""
    return _CHANNEL_OF.get(provider, Channel.EMAIL)


def _mail_servers(urls: str) -> tuple[NamedLine, ...]:
    found = []
    for number, url in enumerate(urls.split(), 1):
        said = dict(parse_qsl(urlsplit(url).query))
        name = said.get("name", MAIL if number == 1 else f"{MAIL}-{number}")
        weight = said.get("weight", "1")
        found.append(NamedLine(name, int(weight) if weight.isdecimal() else 1))
    return tuple(found)


def _push(settings: Settings) -> tuple[NamedLine, ...]:
    configured = {
        PushService.FCM: settings.fcm_service_account is not None,
        PushService.ONESIGNAL: settings.onesignal_app_id is not None,
    }
    wanted = frozenset().union(*settings.push_services().values())
    names = [service.value for service, is_there in configured.items() if is_there and service in wanted]
    if not names:
        return ()
    return (NamedLine(names[0] if len(names) == 1 else PUSH),)
