"""Make the provider of a channel from the settings."""

from __future__ import annotations

from shared.errors import SettingMissing
from shared.runtime import Resources
from shared.statuses import Channel
from shared.twilio.provider import TwilioProvider
from shared.twilio.sender import Account, Sender

SENDERS = {Channel.SMS: "twilio_sms_from", Channel.WHATSAPP: "twilio_whatsapp_from"}
"""The setting that names a channel's sender."""


def open_twilio(resources: Resources, channel: Channel) -> TwilioProvider:
    """Make the provider; connect to nothing yet.

    Raises:
        SettingMissing: there is no account, or no sender for this channel.
    """
    settings = resources.settings
    sid, token = settings.twilio_account_sid, settings.twilio_auth_token
    if sid is None or token is None:
        raise SettingMissing(f"TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN must be set: {channel} goes through Twilio")
    setting = SENDERS[channel]
    sender = getattr(settings, setting)
    if sender is None:
        raise SettingMissing(f"{setting.upper()} is missing: set it, or leave {channel} out of CHANNELS")
    return TwilioProvider(
        Account(sid=sid, token=token.get_secret_value(), base_url=settings.twilio_base_url),
        Sender(channel=channel, name=sender),
        public_url=settings.public_url,
    )
